/* The Windows API without the parts that make macros of usual names. */
#pragma once

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
