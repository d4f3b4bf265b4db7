/* Whether the system gives as many threads as a call wants: libgomp ends the process where it does not, under a limit of
   processes for example. Found out once for each larger number, by creating them; each caller has its own team. Without OpenMP there is one thread. */
#pragma once

#ifndef _OPENMP
static int afford(int wanted) { return wanted < 1 ? wanted : 1; }

#elif defined(_WIN32)
/* neither is there such a limit, nor pthreads */
static int afford(int wanted) { return wanted; }

#else
#include <pthread.h>
#include <stdlib.h>

static __thread int afforded = 1;

static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Return how many of the wanted threads there can be, the caller among them. */
static int afford(int wanted) {
    if (wanted <= afforded) return wanted;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *made = malloc(wanted * sizeof *made);
    int count = 0;
    if (!made) return afforded;
    pthread_mutex_lock(&gate);
    while (count < wanted - 1 && pthread_create(&made[count], NULL, wait_at, &gate) == 0) count++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < count; i++) pthread_join(made[i], NULL);
    free(made);
    if (count == wanted - 1) afforded = wanted;
    return count + 1;
}
#endif
