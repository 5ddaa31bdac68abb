// A run that is under way: asks the server now and then, and replaces the banner where it says something else.
"use strict";

(() => {
  let timer = 0;

  function later() {
    const box = document.getElementById("progress");
    clearTimeout(timer);
    if (box) timer = setTimeout(ask, 1000 * Number(box.dataset.every || 15));
  }

  async function ask() {
    const box = document.getElementById("progress");
    if (!box) return;
    if (document.hidden) return later();
    try {
      const answer = await fetch(box.dataset.progress, { headers: { "HX-Request": "true" } });
      if (answer.ok) show(box, await answer.text());
    } catch {
      // away for a moment; asked again below
    }
    later();
  }

  function show(box, text) {
    const found = new DOMParser().parseFromString(text, "text/html").getElementById("progress");
    if (!found) return;
    if (found.dataset.state === "new" && box.dataset.then) return location.assign(box.dataset.then);
    box.dataset.every = found.dataset.every;
    const same = box.dataset.state === found.dataset.state;
    box.dataset.state = found.dataset.state;
    if (same && found.dataset.state === "running") {
      // only what moves is replaced, so that a screen reader is told once that a run began
      const [now, then] = [box.querySelector("p"), found.querySelector("p")];
      if (now && then) {
        while (now.childNodes.length > 1) now.lastChild.remove();
        now.append(...[...then.childNodes].slice(1));
      }
      const [bar, next] = [box.querySelector("progress"), found.querySelector("progress")];
      if (bar && next) Object.assign(bar, { max: next.max, value: next.value });
    } else if (box.innerHTML.trim() !== found.innerHTML.trim()) {
      box.replaceChildren(...found.childNodes);
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  later();
})();
