// The keyboard: / finds, j and k walk through the rows of a table, n and p turn its pages, g and a letter goes to a page.
"use strict";

(() => {
  const WAIT = 1200; // how long g waits for its letter
  let going = 0;

  const writes = (element) => element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  function rowLinks() {
    const table = document.querySelector("#grid") || document.querySelector("main table");
    return table ? [...table.querySelectorAll("tbody th a[href]")].filter((link) => link.offsetParent) : [];
  }

  function walk(step) {
    const links = rowLinks();
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const to = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
    links[to].focus();
    links[to].scrollIntoView({ block: "nearest" });
  }

  const follow = (selector) => {
    const link = document.querySelector(selector);
    if (link) link.click();
    return Boolean(link);
  };

  function shut() {
    const found = document.getElementById("found");
    if (found) found.replaceChildren();
  }

  // within the results, arrows walk
  function walkResults(event) {
    const found = document.getElementById("found");
    const stops = [document.getElementById("find"), ...found.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    const to = at + (event.key === "ArrowDown" ? 1 : -1);
    if (at < 0 || to < 0 || to >= stops.length) return;
    event.preventDefault();
    stops[to].focus();
  }

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (target.closest && target.closest(".find")) {
      if (key === "ArrowDown" || key === "ArrowUp") walkResults(event);
      if (key === "Escape") {
        shut();
        document.getElementById("find").value = "";
        document.getElementById("find").focus();
      }
      if (key === "Enter" && target.id === "find") {
        const first = document.querySelector("#found a");
        if (first) {
          event.preventDefault();
          first.click();
        }
      }
      return;
    }
    if (writes(target) || document.querySelector("dialog[open]")) return;
    if (going && performance.now() - going < WAIT) {
      going = 0;
      if (/^[a-z]$/.test(key) && follow(`#nav a[data-letter="${key}"]`)) event.preventDefault();
      return;
    }
    going = 0;
    const done = {
      "/": () => document.getElementById("find").focus(),
      "?": () => document.getElementById("keys").showModal(),
      g: () => (going = performance.now()),
      j: () => walk(1),
      k: () => walk(-1),
      n: () => follow("#page-next"),
      p: () => follow("#page-previous"),
    }[key];
    if (!done) return;
    event.preventDefault();
    done();
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest(".find")) shut();
  });
})();
