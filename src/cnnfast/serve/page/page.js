// The page: pictures are sent one by one to /classify, and what comes back is shown, sorted, filtered and saved.
// Whatever comes from a file or the server becomes text by textContent only.

const AT_ONCE = 4; // requests; the server makes batches of them
const SIDE = 320; // pixels of a thumbnail
const DRAWN_AT_ONCE = 3;
const TOP = 3;
const MAX_RETRIES = 8;

const $ = (id) => document.getElementById(id);
const items = []; // in the order of their arrival
const queue = [];
let running = 0;
let token = "";
let shown = []; // those that the filter lets through, in order
let refreshing = 0;

class Item {
  constructor(file, name) {
    this.file = file;
    this.name = name;
    this.labels = null; // after the answer: [{label, probability}, …]
    this.error = null;
    this.unknown = false;
    this.tries = 0;
    this.tile = this.makeTile();
  }

  get label() { return this.labels ? String(this.labels[0].label) : ""; }
  get probability() { return this.labels ? this.labels[0].probability : -1; }
  get unsure() { return this.labels !== null && this.probability < $("threshold").value / 100; }
  get isDone() { return this.labels !== null || this.error !== null; }

  makeTile() {
    const tile = document.createElement("li");
    tile.className = "tile";
    tile.tabIndex = -1;
    tile.item = this;
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = 0;
    this.parts = {};
    const what = part("div", "what", tile);
    tile.prepend(this.canvas);
    this.parts.label = part("span", "label", what, "…");
    this.parts.probability = part("span", "probability", what);
    this.parts.mark = part("div", "mark", tile);
    part("div", "file", tile, this.name).title = this.name;
    return tile;
  }

  // Shows the answer, and whether it is to be doubted.
  show() {
    const { label, probability, mark } = this.parts;
    label.textContent = this.error !== null ? "unreadable" : this.label || "…";
    probability.textContent = this.labels ? percent(this.probability) : "";
    mark.textContent = this.error ?? (this.unknown ? "unknown" : this.unsure ? "unsure" : "");
    mark.title = this.error ?? (this.unknown ? "unlike what the network has learned" : "");
    this.tile.classList.toggle("error", this.error !== null);
    this.tile.classList.toggle("unknown", this.unknown);
    this.tile.classList.toggle("unsure", this.unsure);
    this.tile.ariaLabel = `${this.name}: ${label.textContent} ${probability.textContent} ${mark.textContent}`;
  }
}

function part(kind, name, parent, text = "") {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

// ---- pictures come in

async function add(entries) {
  if (!entries.length) return;
  $("view").hidden = false;
  await learned;
  for (let start = 0; start < entries.length; start += 200) {
    const made = entries.slice(start, start + 200).map(([file, name]) => new Item(file, name));
    items.push(...made);
    queue.push(...made);
    refresh();
    for (let i = running; i < AT_ONCE; i++) work();
    await new Promise(requestAnimationFrame);
  }
}

function looksLikePicture(file) {
  return file.type.startsWith("image/") || (file.type === "" && !file.name.startsWith("."));
}

function chosen(list) {
  return [...list].filter(looksLikePicture).map((file) => [file, file.webkitRelativePath || file.name]);
}

async function dropped(transfer) {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return chosen(transfer.files);
  const found = [];
  for (const root of roots) await walk(root, found);
  return found.filter(([file]) => looksLikePicture(file));
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) found.push([file, entry.fullPath.replace(/^\//, "")]);
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return;
    for (const one of some) await walk(one, found);
  }
}

// ---- answers come back

async function work() {
  running += 1;
  while (queue.length) {
    const item = queue.shift();
    try {
      await classify(item);
    } catch {
      item.error = "the server cannot be reached";
    }
    if (item.isDone) {
      item.show();
      refresh();
    }
  }
  running -= 1;
}

function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function classify(item) {
  const model = $("model").value;
  const query = new URLSearchParams({ top: Math.min(TOP, classCounts[model] ?? 1) });
  if (model) query.set("model", model);
  const answer = await fetch(`classify?${query}`, {
    method: "POST",
    body: item.file,
    headers: { "Content-Type": "application/octet-stream", ...headers() },
  });
  const told = await answer.json();
  if (model !== $("model").value) {
    queue.unshift(item); // another model was chosen meanwhile
  } else if (answer.ok) {
    item.labels = told.labels.flat(Infinity);
    item.unknown = told.unknown === true;
  } else if (answer.status === 401) {
    askForToken(item);
    await new Promise((resolve) => setTimeout(resolve, 500));
  } else if (answer.status === 503 && item.tries++ < MAX_RETRIES) {
    queue.unshift(item);
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
  } else {
    item.error = told.error;
  }
}

function askForToken(item) {
  $("secret").hidden = false;
  if (!$("secret").contains(document.activeElement)) $("token").focus();
  waiting.push(item);
}

const waiting = []; // for a token
const classCounts = {};

async function learnModels() {
  const answer = await fetch("openapi.json", { headers: headers() });
  if (!answer.ok) {
    $("secret").hidden = answer.status !== 401;
    return;
  }
  $("secret").hidden = true;
  const told = await answer.json();
  const names = told.paths["/classify"].post.parameters.find((one) => one.name === "model").schema.enum;
  $("model").replaceChildren(...names.map((name) => new Option(name, name)));
  $("models").hidden = names.length < 2;
  $("threshold").value = 100 * told.info["x-unsure"];
  showBound();
  for (const name of names) {
    const model = await (await fetch(`v2/models/${name}`, { headers: headers() })).json();
    classCounts[name] = model.outputs[0].shape.at(-1);
  }
}

// ---- what is shown

function matches(item) {
  const show = $("show").value;
  const name = $("name").value.toLowerCase();
  if (name && !item.name.toLowerCase().includes(name)) return false;
  if (show === "?unsure") return item.unsure;
  if (show === "?unknown") return item.unknown;
  if (show === "?error") return item.error !== null;
  return show === "" || (item.labels !== null && item.label === show.slice(1));
}

const ORDERS = {
  added: null,
  low: (a, b) => a.probability - b.probability,
  high: (a, b) => b.probability - a.probability,
  label: (a, b) => a.label.localeCompare(b.label) || b.probability - a.probability,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
};

// Brings the list up to date; often asked for, done at most four times a second.
function refresh() {
  if (refreshing) return;
  refreshing = setTimeout(() => { refreshing = 0; arrange(); }, 250);
}

function arrange() {
  const before = shown;
  shown = items.filter(matches);
  const order = ORDERS[$("sort").value];
  if (order) shown.sort(order);
  const kept = before.findIndex((item, i) => item !== shown[i]);
  if (kept === -1) {
    place(shown.slice(before.length)); // most of the time there are only more of them
  } else {
    const focused = document.activeElement;
    $("tiles").replaceChildren();
    place(shown);
    if (focused?.item && shown.includes(focused.item)) focused.focus({ preventScroll: true });
  }
  if (shown.length && !shown.some((item) => item.tile.tabIndex === 0)) shown[0].tile.tabIndex = 0;
  $("empty").hidden = !items.length || shown.length > 0;
  $("summary").textContent = items.length ? summary() : "Drop pictures or a folder anywhere on this page.";
  listLabels();
}

function summary() {
  const count = (test) => items.filter(test).length;
  const parts = [`${count((item) => item.isDone).toLocaleString()} of ${items.length.toLocaleString()} done`];
  const doubts = { unsure: (i) => i.unsure, unknown: (i) => i.unknown, unreadable: (i) => i.error !== null };
  for (const [name, test] of Object.entries(doubts)) {
    if (count(test)) parts.push(`${count(test).toLocaleString()} ${name}`);
  }
  return `${parts.join(", ")}; ${shown.length.toLocaleString()} shown`;
}

function place(some) {
  $("tiles").append(...some.map((item) => item.tile));
  for (const item of some) visible.observe(item.tile);
}

function listLabels() {
  const known = new Set([...$("show").options].map((option) => option.value));
  const fresh = [...new Set(items.filter((item) => item.labels).map((item) => item.label))].sort();
  for (const label of fresh) {
    if (!known.has(`=${label}`)) $("show").append(new Option(label, `=${label}`));
  }
}

// ---- thumbnails: drawn when they come into view, and their memory is given back when they leave it

const toDraw = [];
let drawing = 0;

const visible = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const item = target.item;
    item.isVisible = isIntersecting;
    if (isIntersecting && !item.canvas.width) toDraw.push(item);
    if (!isIntersecting && item.canvas.width) item.canvas.width = item.canvas.height = 0;
  }
  for (let i = drawing; i < DRAWN_AT_ONCE; i++) draw();
}, { rootMargin: "400px" });

async function draw() {
  drawing += 1;
  while (toDraw.length) {
    const item = toDraw.pop();
    if (item.isVisible && !item.canvas.width) await paint(item.file, item.canvas, SIDE);
  }
  drawing -= 1;
}

async function paint(file, canvas, side) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
  } catch {
    canvas.width = canvas.height = 1; // what the browser cannot show, the server may still read
  }
}

// ---- looking closer, and the keyboard

async function lookCloser(item) {
  $("large-name").textContent = item.name;
  $("large-note").textContent = item.parts.mark.textContent;
  $("large-labels").replaceChildren(...(item.labels ?? []).map(({ label, probability }) => {
    const row = document.createElement("tr");
    part("td", "", row, label);
    part("td", "", row, percent(probability));
    return row;
  }));
  $("large-canvas").width = $("large-canvas").height = 0;
  $("large").showModal();
  await paint(item.file, $("large-canvas"), 1200);
}

function columns() {
  return getComputedStyle($("tiles")).gridTemplateColumns.split(" ").length;
}

function moveTo(index) {
  const item = shown[Math.max(0, Math.min(index, shown.length - 1))];
  if (!item) return;
  for (const one of shown) one.tile.tabIndex = -1;
  item.tile.tabIndex = 0;
  item.tile.focus();
}

function remove(item) {
  const index = shown.indexOf(item);
  visible.unobserve(item.tile);
  for (const list of [items, queue]) if (list.includes(item)) list.splice(list.indexOf(item), 1);
  arrange();
  moveTo(index);
}

$("tiles").addEventListener("keydown", (event) => {
  const item = event.target.item;
  if (!item) return;
  const index = shown.indexOf(item);
  const keys = {
    ArrowRight: () => moveTo(index + 1),
    ArrowLeft: () => moveTo(index - 1),
    ArrowDown: () => moveTo(index + columns()),
    ArrowUp: () => moveTo(index - columns()),
    Home: () => moveTo(0),
    End: () => moveTo(shown.length - 1),
    Enter: () => lookCloser(item),
    " ": () => lookCloser(item),
    Delete: () => remove(item),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

$("tiles").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (tile) lookCloser(tile.item);
});

// ---- saving

function csv() {
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const rows = shown.map((item) => [
    item.name, item.label, item.labels ? String(item.probability) : "", item.labels ? String(item.unsure) : "",
    item.labels ? String(item.unknown) : "", item.error ?? "",
  ]);
  return [["name", "label", "probability", "unsure", "unknown", "error"], ...rows]
    .map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

$("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "labels.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

// ---- everything else that can be clicked

$("clear").addEventListener("click", () => {
  for (const item of items) visible.unobserve(item.tile);
  items.length = queue.length = waiting.length = 0;
  arrange();
});

for (const id of ["files", "folder"]) {
  $(id).addEventListener("change", () => {
    add(chosen($(id).files));
    $(id).value = "";
  });
}

for (const id of ["show", "name", "sort"]) $(id).addEventListener("input", arrange);

function showBound() {
  $("bound").textContent = `${$("threshold").value} %`;
}

$("threshold").addEventListener("input", () => {
  showBound();
  for (const item of items) item.show();
  refresh();
});

$("model").addEventListener("change", () => {
  for (const item of items) {
    const isBeingAsked = !item.isDone && !queue.includes(item);
    item.labels = item.error = null;
    item.show();
    if (!isBeingAsked && !queue.includes(item)) queue.push(item);
  }
  for (let i = running; i < AT_ONCE; i++) work();
});

$("token").addEventListener("change", async () => {
  token = $("token").value;
  await learnModels();
  queue.push(...waiting.splice(0));
  for (let i = running; i < AT_ONCE; i++) work();
});

$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
});

$("view").addEventListener("submit", (event) => event.preventDefault());
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  add(await dropped(event.dataTransfer));
});

const learned = learnModels();
