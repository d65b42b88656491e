// Goes from test to test by keys or pointer, tells what each is, and leaves out what a search or a filter does not find.
"use strict";

const cells = [...document.querySelectorAll(".suite li")];
const suites = [...document.querySelectorAll(".suite")];
const about = document.getElementById("about");
const search = document.getElementById("search");
const only = { bad: document.getElementById("bad"), ran: document.getElementById("ran") };
let current = null;

const failureOf = (cell) => document.getElementById(`f${cell.id.slice(1)}`);
const isShown = (cell) => !cell.hidden && !cell.parentElement.parentElement.hidden;

// One test alone is in the order of the Tab key: the one that was looked at last.
function choose(cell) {
  if (current !== null) current.tabIndex = -1;
  current = cell;
  if (cell !== null) cell.tabIndex = 0;
}

function tell(cell) {
  const more = failureOf(cell) === null ? "" : " (Enter goes to the failure)";
  about.textContent = `${cell.closest(".suite").dataset.name}  ${cell.title}${more}`;
}

function move(steps) {
  const shown = cells.filter(isShown);
  const next = shown[Math.min(Math.max(shown.indexOf(current) + steps, 0), shown.length - 1)];
  if (next !== undefined) next.focus();
}

function open(cell) {
  const failure = failureOf(cell);
  if (failure === null) return;
  failure.open = true;
  failure.scrollIntoView({ block: "start" });
  failure.querySelector("summary").focus({ preventScroll: true });
}

function filter() {
  const text = search.value.trim().toLowerCase();
  for (const suite of suites) {
    const isNamed = suite.dataset.name.toLowerCase().includes(text);
    let count = 0;
    for (const cell of suite.querySelectorAll("li")) {
      const isBad = cell.classList.contains("failed") || cell.classList.contains("error");
      cell.hidden = !(isNamed || cell.title.toLowerCase().includes(text)) || (only.bad.checked && !isBad);
      if (!cell.hidden) count += 1;
    }
    suite.hidden = (count === 0 && (text !== "" || only.bad.checked)) || (only.ran.checked && !suite.classList.contains("ran"));
  }
  for (const cell of cells) {
    const failure = failureOf(cell);
    if (failure !== null) failure.hidden = !isShown(cell);
  }
  const shown = cells.filter(isShown);
  choose(shown.includes(current) ? current : shown[0] ?? null);
  about.textContent = `Tests shown: ${shown.length} of ${cells.length}`;
}

for (const cell of cells) {
  cell.tabIndex = -1;
  cell.setAttribute("role", failureOf(cell) === null ? "img" : "link");
  cell.setAttribute("aria-label", cell.title);
}
document.addEventListener("focusin", (event) => {
  if (!event.target.matches(".suite li")) return;
  choose(event.target);
  tell(event.target);
});
document.addEventListener("mouseover", (event) => event.target.matches(".suite li") && tell(event.target));
document.addEventListener("click", (event) => event.target.matches(".suite li") && open(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    search.value = "";
    only.bad.checked = only.ran.checked = false;
    return filter();
  }
  if (!event.target.matches(".suite li")) return;
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -cells.length, End: cells.length }[event.key];
  if (steps === undefined && event.key !== "Enter") return;
  event.preventDefault();
  if (steps === undefined) open(event.target);
  else move(steps);
});
for (const input of [search, only.bad, only.ran]) input.addEventListener("input", filter);
choose(cells[0] ?? null);
