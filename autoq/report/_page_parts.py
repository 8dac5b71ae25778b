"""Style and script of the page of a run. Nothing is fetched from anywhere."""

from __future__ import annotations

STYLE = """
:root { --paper: #fff; --ink: #202124; --faint: #5f6368; --grid: #e3e5e8; --blue: #1a66a8; --tint: #eef4fb;
  color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #17191c; --ink: #e8eaed; --faint: #a6acb3;
  --grid: #34383d; --blue: #7db8ee; --tint: #1f2b38; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1100px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; } .faint { color: var(--faint); overflow-wrap: anywhere; }
.verdict { background: var(--tint); border-left: 4px solid var(--blue); padding: .5rem 1rem; margin: 1rem 0; }
.autoq-trials, .facts { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--grid); vertical-align: top; }
.autoq-trials td { white-space: nowrap; } th { color: var(--faint); font-weight: 600; }
.word, .facts th, .facts td { text-align: left; } .autoq-trials td.long { white-space: normal; min-width: 12rem; }
.facts th { white-space: nowrap; } .facts td { overflow-wrap: anywhere; min-width: 16rem; }
tr.chosen td { background: var(--tint); font-weight: 600; } tr:target td { outline: 2px solid var(--blue); }
.autoq-legend { font-size: 13px; color: var(--faint); margin: .6rem 0; } .autoq-legend div { margin: .1rem 0; }
.autoq-legend dt { display: inline; font-weight: 600; } .autoq-legend dt::after { content: ":"; }
.autoq-legend dd { display: inline; margin: 0; }
pre { background: var(--tint); padding: .7rem 1rem; overflow-x: auto; font-size: 13px; }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--blue); }
#told { position: absolute; z-index: 1; max-width: min(24rem, 90vw); padding: .45rem .7rem; border-radius: 4px;
  background: #202124; color: #fff; font-size: 13px; line-height: 1.4; white-space: pre-line; pointer-events: none; }
#told[hidden] { display: none; }
.autoq-chart figcaption button { all: unset; cursor: pointer; } .autoq-chart [aria-pressed=false] { opacity: .4; }
.autoq-chart figcaption button:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.autoq-chart .away { display: none; }
@media print { #told, summary { display: none; } body { margin: 0; max-width: none; } }
"""

# A mark shows its title at once in a box beside it. The legend shows and hides marks.
SCRIPT = """
const box = document.getElementById("told");
const hide = () => { box.hidden = true; };
const show = mark => {
  box.textContent = mark.getAttribute("aria-label");
  box.hidden = false;
  const at = mark.getBoundingClientRect(), width = document.documentElement.clientWidth;
  const left = Math.min(at.right + 10, width - box.offsetWidth - 8);
  box.style.left = Math.max(8, left) + scrollX + "px";
  const above = at.top - box.offsetHeight - 8;
  box.style.top = (above > 0 ? above : at.bottom + 8) + scrollY + "px";
};
for (const mark of document.querySelectorAll(".mark")) {
  const title = mark.querySelector("title");
  mark.setAttribute("aria-label", title.textContent);
  title.remove();
  for (const event of ["mouseenter", "focus", "click"]) mark.addEventListener(event, () => show(mark));
  for (const event of ["mouseleave", "blur"]) mark.addEventListener(event, hide);
}
addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
for (const entry of document.querySelectorAll(".autoq-chart [data-kind]")) {
  const button = document.createElement("button");
  button.append(...entry.childNodes);
  button.setAttribute("aria-pressed", "true");
  button.title = "show or hide";
  entry.append(button);
  button.addEventListener("click", () => {
    const away = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!away));
    for (const part of document.querySelectorAll(`.autoq-chart > svg [data-of="${entry.dataset.kind}"]`))
      part.classList.toggle("away", away);
  });
}
"""
