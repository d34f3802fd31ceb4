"use strict";
(() => {
  const verdicts = ["review", "cannot_tell", "deactivate", "keep", "inactive", "fixed"];
  const key = (cell) => {
    if (!cell) return "";
    const found = /\bv-(\w+)/.exec(cell.className);
    if (found) return verdicts.indexOf(found[1]);
    const text = cell.textContent.trim();
    return /^[0-9,]+$/.test(text) ? Number(text.replaceAll(",", "")) : text;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : a === b ? 0 : 1;
  const sort = (table, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [key(row.cells[head.cellIndex]), row]);
    rows.sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]));
    body.append(...rows.map((pair) => pair[1]));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent.trim();
      button.addEventListener("click", () => sort(table, head));
      head.replaceChildren(button);
    }
  }
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
    target.scrollIntoView();
    if (target.localName !== "article") return;
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) setTimeout(open);
  });
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details.cards, details.plan, details.figures")) details.open = true;
  });
  document.documentElement.classList.add("scripted");
  open();
})();
