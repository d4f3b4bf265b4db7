"use strict";
// A review: pictures in order of doubt, a key for each class, undo, and a file of labels at the end. Names of files
// reach the page by textContent only, so none of them is ever read as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const classes = data.classes.slice();
const cards = data.cards;
const KEYS = "1234567890abcdefgimnopqrtwxyz"; // without h j k l (moves), s (save), u (undo), v (large view)
const decided = new Map(); // number of a card -> the label that a person gave
const undone = []; // what each step of undo restores: [[number, label before or undefined], ...]
const byId = (id) => document.getElementById(id);
const figures = [];
let shown = []; // numbers of the cards on the page, in its order
let current = 0; // position in `shown`

// -- what is on the page ---------------------------------------------------------------------------------------------

function made(kind, parent, text = "") {
  const element = document.createElement(kind);
  element.textContent = text;
  parent.append(element);
  return element;
}

function figure(number) {
  const card = cards[number];
  const box = document.createElement("figure");
  box.dataset.number = number;
  box.title = card.path;
  box.classList.toggle("alike", card.size > 1);
  made("img", box).alt = "";
  const caption = made("figcaption", box);
  const line = made("div", caption);
  made("b", line);
  made("span", line, card.probability === null ? "" : (100 * card.probability).toFixed(1) + "%");
  made("small", caption, card.path.split("/").pop());
  if (card.rival !== null) made("small", caption, "or " + card.rival);
  box.addEventListener("click", () => {
    select(shown.indexOf(number));
    enlarge();
  });
  return box;
}

// pictures get their pixels when they come near the window, and lose them when they leave it: thousands stay fluid
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const image = entry.target.firstChild;
    if (entry.isIntersecting) image.src = cards[entry.target.dataset.number].thumbnail;
    else image.removeAttribute("src");
  }
}, { rootMargin: "800px" });

function arrange() {
  const by = byId("order").value;
  const only = byId("only").value;
  const before = shown[current];
  shown = cards.map((_, number) => number);
  if (only === "left") shown = shown.filter((number) => !decided.has(number));
  if (only === "changed") shown = shown.filter((number) => decided.has(number) && decided.get(number) !== cards[number].label);
  const name = (number) => decided.get(number) ?? cards[number].label ?? "";
  if (by === "class") shown.sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : a - b));
  const main = document.querySelector("main");
  const parts = [];
  let heading = null;
  for (const number of shown) {
    if (by === "class" && name(number) !== heading) {
      heading = name(number);
      const title = document.createElement("h2");
      title.textContent = heading || "no label";
      parts.push(title);
    }
    parts.push(figures[number]);
  }
  main.replaceChildren(...parts);
  shown.forEach(draw);
  select(Math.max(0, shown.indexOf(before)));
}

function draw(number) {
  const box = figures[number];
  const label = decided.get(number);
  box.classList.toggle("decided", label !== undefined);
  box.classList.toggle("changed", label !== undefined && label !== cards[number].label);
  box.querySelector("b").textContent = label ?? cards[number].label ?? "?";
}

function count() {
  const left = cards.length - decided.size;
  byId("left").textContent = `${decided.size.toLocaleString("en")} decided, ${left.toLocaleString("en")} left`;
}

function select(position) {
  figures[shown[current]]?.classList.remove("current");
  current = Math.min(Math.max(position, 0), Math.max(shown.length - 1, 0));
  const box = figures[shown[current]];
  if (box === undefined) return;
  box.classList.add("current");
  box.scrollIntoView({ block: "nearest" });
  if (byId("large").open) enlarge();
}

function columns() {
  const boxes = shown.map((number) => figures[number]);
  const top = boxes[0]?.offsetTop;
  const wide = boxes.findIndex((box) => box.offsetTop !== top);
  return wide < 0 ? boxes.length : wide;
}

// the picture itself where it can be found next to this page, else its thumbnail
function enlarge() {
  const card = cards[shown[current]];
  if (card === undefined) return;
  const image = byId("picture");
  image.onerror = () => {
    image.onerror = null;
    image.src = card.thumbnail;
  };
  image.src = card.source;
  byId("name").textContent = card.path;
  if (!byId("large").open) byId("large").showModal();
}

// -- decisions -------------------------------------------------------------------------------------------------------

function decide(label, group) {
  const number = shown[current];
  if (number === undefined || label === null || label === "") return;
  const same = group ? shown.filter((other) => cards[other].group === cards[number].group) : [number];
  undone.push(same.map((one) => [one, decided.get(one)]));
  for (const one of same) {
    decided.set(one, label);
    draw(one);
  }
  kept();
  const next = shown.findIndex((one, position) => position > current && !decided.has(one));
  select(next < 0 ? current + 1 : next);
}

function undo() {
  const step = undone.pop();
  if (step === undefined) return;
  for (const [number, label] of step) {
    if (label === undefined) decided.delete(number);
    else decided.set(number, label);
    draw(number);
  }
  kept();
  if (shown.includes(step[0][0])) select(shown.indexOf(step[0][0]));
}

function known(label) {
  if (!classes.includes(label)) {
    classes.push(label);
    buttons();
  }
  return label;
}

// decisions outlive a closed window where the browser allows it
function kept() {
  count();
  saved = false;
  try {
    localStorage.setItem(data.id, JSON.stringify([...decided]));
  } catch { /* private windows have no storage */ }
}

function restored() {
  try {
    for (const [number, label] of JSON.parse(localStorage.getItem(data.id) ?? "[]")) decided.set(number, known(label));
  } catch { /* nothing is there, or it is damaged */ }
}

// -- the file of labels ----------------------------------------------------------------------------------------------

let saved = true;

// As cnnfast writes CSV: quoted where needed, and nothing that a spreadsheet would run as a formula.
function cell(text) {
  const formula = /^'*[=+\-@\t\r\n＝＋－＠]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  if (formula) text = "'" + text;
  return /[,"\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function rows() {
  const who = byId("who").value.trim() || "person";
  const numbers = [...decided.keys()].sort((a, b) => a - b);
  return "path,label,decided_by\n" +
    numbers.map((n) => [cards[n].path, decided.get(n), who].map(cell).join(",") + "\n").join("");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([rows()], { type: "text/csv" }));
  link.download = "labels.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
}

// -- keys and buttons ------------------------------------------------------------------------------------------------

function buttons() {
  byId("classes").replaceChildren(...classes.map((label, i) => {
    const button = document.createElement("button");
    if (i < KEYS.length) made("kbd", button, KEYS[i]);
    button.append(label);
    button.addEventListener("click", (event) => decide(label, event.shiftKey));
    return button;
  }));
}

function pressed(event) {
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  const control = event.ctrlKey || event.metaKey;
  const key = event.code.startsWith("Digit") ? event.code.slice(5) : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const actions = {
    ArrowRight: () => select(current + 1), l: () => select(current + 1),
    ArrowLeft: () => select(current - 1), h: () => select(current - 1),
    ArrowDown: () => select(current + columns()), j: () => select(current + columns()),
    ArrowUp: () => select(current - columns()), k: () => select(current - columns()),
    Enter: () => decide(decided.get(shown[current]) ?? cards[shown[current]]?.label ?? null, event.shiftKey),
    u: undo, s: save, v: () => (byId("large").open ? byId("large").close() : enlarge()),
    "/": () => byId("other").focus(),
  };
  actions[" "] = actions.Enter;
  if (control && key !== "z" && key !== "s") return;
  if (control && key === "z") undo();
  else if (actions[key] !== undefined) actions[key]();
  else if (KEYS.includes(key) && KEYS.indexOf(key) < classes.length) decide(classes[KEYS.indexOf(key)], event.shiftKey);
  else return;
  event.preventDefault();
}

document.title = data.title;
document.querySelector("h1").textContent = data.title;
restored();
cards.forEach((_, number) => {
  figures.push(figure(number));
  near.observe(figures[number]);
});
buttons();
arrange();
count();
document.addEventListener("keydown", pressed);
byId("undo").addEventListener("click", undo);
byId("save").addEventListener("click", save);
byId("order").addEventListener("change", arrange);
byId("only").addEventListener("change", arrange);
byId("large").addEventListener("click", () => byId("large").close());
byId("other").addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur();
  if (event.key !== "Enter" || !event.target.value.trim()) return;
  decide(known(event.target.value.trim()), event.shiftKey);
  event.target.value = "";
  event.target.blur();
});
for (const control of document.querySelectorAll("button, select")) {
  // a focused control must not take the keys of the classes
  control.addEventListener("change", () => control.blur());
  control.addEventListener("click", () => control instanceof HTMLButtonElement && control.blur());
}
window.addEventListener("beforeunload", (event) => {
  if (!saved) event.preventDefault();
});
