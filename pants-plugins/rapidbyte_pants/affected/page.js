// Lights up chains in the picture: by the pointer, by a click that keeps them, and by the search.
"use strict";

const { nodes } = JSON.parse(document.getElementById("data").textContent);
const svg = document.querySelector("svg.affected");
const why = document.getElementById("why");
const search = document.getElementById("search");
const buttons = [...document.querySelectorAll("nav button")];
const element = (prefix, node) => document.getElementById(prefix + node.number);
const children = new Map(nodes.map((node) => [node.number, []]));
for (const node of nodes) {
  if (node.parent !== null) children.get(node.parent).push(node);
}
let kept = null;

// The nodes from the changed file to this one, both included.
function chainTo(node) {
  const chain = [node];
  while (chain[0].parent !== null) chain.unshift(nodes[chain[0].parent]);
  return chain;
}

function below(node) {
  return children.get(node.number).flatMap((child) => [child, ...below(child)]);
}

function light(chosen, also = []) {
  svg.classList.toggle("focused", chosen !== null);
  const lit = new Set(chosen ?? []);
  for (const node of nodes) {
    element("n", node).classList.toggle("lit", lit.has(node));
    element("n", node).classList.toggle("also", also.includes(node) && !lit.has(node));
    element("e", node)?.classList.toggle("lit", lit.has(node));
  }
}

function show(node) {
  const also = node.kind === "change" ? nodes.filter((other) => other.also.includes(node.name)) : [];
  light([...chainTo(node), ...below(node)], also);
  explain(node, also);
}

function line(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

function explain(node, also) {
  const heading = document.createElement("h2");
  const chain = document.createElement("ol");
  for (const link of chainTo(node)) {
    const item = document.createElement("li");
    item.textContent = link.full;
    chain.append(item);
  }
  const scenarios = below(node).filter((other) => other.kind === "scenario").length;
  heading.textContent = node.kind === "scenario" ? "Why does this run?" : "What does this lead to?";
  const notes = chainTo(node).filter((link) => link.reason !== null).map((link) => line(`Beyond the dependencies: ${link.reason}`));
  if (node.kind === "change") notes.push(line(`Scenarios that it leads to: ${scenarios + also.length}`));
  if (node.kind === "target") notes.push(line(`Scenarios whose chain goes through it: ${scenarios}`));
  if (also.length > 0) notes.push(line(`Of these, shown with the chain of another change: ${also.length}`));
  if (node.also.length > 0) notes.push(line(`Other changes that lead to it: ${node.also.join(", ")}`));
  why.replaceChildren(heading, chain, ...notes);
}

function keep(node) {
  kept = kept === node ? null : node;
  for (const button of buttons) button.setAttribute("aria-pressed", String(kept !== null && Number(button.value) === kept.number));
  settle();
}

// What is lit while the pointer is nowhere: what was kept, or else what the search finds.
function settle() {
  const text = search.value.trim().toLowerCase();
  const found = text === "" ? null : nodes.filter((node) => node.full.toLowerCase().includes(text));
  const reached = found && new Set(found.flatMap((node) => [...chainTo(node), ...below(node)]));
  for (const button of buttons) button.parentElement.hidden = reached !== null && !reached.has(nodes[Number(button.value)]);
  if (kept !== null) return show(kept);
  why.replaceChildren(line("Point at a file, a target or a scenario to see its chain; click to keep it; Escape lets go."));
  light(reached && [...reached]);
}

for (const node of nodes) {
  const box = element("n", node);
  box.setAttribute("tabindex", "0");
  box.setAttribute("role", "button");
  box.setAttribute("aria-label", `${node.kind}: ${node.full}`);
  box.addEventListener("click", () => keep(node));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    keep(node);
  });
  box.addEventListener("mouseenter", () => kept === null && show(node));
  box.addEventListener("mouseleave", () => kept === null && settle());
}
for (const button of buttons) {
  button.addEventListener("click", () => {
    const node = nodes[Number(button.value)];
    keep(node);
    if (kept !== null) element("n", node).scrollIntoView({ block: "center", inline: "nearest" });
  });
}
search.addEventListener("input", settle);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  search.value = "";
  kept = null;
  for (const button of buttons) button.setAttribute("aria-pressed", "false");
  settle();
});
settle();
