// Everything the pages do beyond HTML: draw charts from data, switch the theme, send filter forms, keep the focus.
// No state is kept here: it is in the address (what is shown) and in one cookie (the theme).
"use strict";

(() => {
  const root = document.documentElement;
  const locale = root.dataset.locale || "en-US";
  const currency = root.dataset.currency || "USD";
  const charts = new Map();

  // ---- numbers on axes, by name ----
  const compact = new Intl.NumberFormat(locale, { style: "currency", currency, notation: "compact", maximumFractionDigits: 1 });
  const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const formatters = {
    short_money: (value) => compact.format(value),
    number: (value) => plain.format(value),
    score: (value) => (value > 2 ? plain.format(value) : ""),
    percent: (value) => percent.format(value),
  };

  // what is said of a point: with the point itself, or beside all points of its series
  const told = (option, point, one, many) =>
    (point.data && point.data[one]) || (option.series[point.seriesIndex][many] || [])[point.dataIndex];

  function tip(option, given) {
    const point = Array.isArray(given) ? given[0] : given;
    const lines = point && point.seriesIndex !== undefined && told(option, point, "tip", "tips");
    if (!lines) return "";
    const box = document.createElement("div");
    box.className = "tip";
    lines.forEach((line, i) => {
      const part = document.createElement(i ? "span" : "b");
      part.textContent = line;
      box.append(part);
    });
    return box;
  }

  const said = new Set(["tip", "tips", "href", "hrefs"]);

  // '@high' is the theme's colour of that name, 'fmt:percent' a formatter; only these two are ever replaced
  function resolved(value, colours, key) {
    if (Array.isArray(value)) return value.map((each) => resolved(each, colours, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, said.has(k) || (k === "data" && typeof v[0] === "string") ? v : resolved(v, colours, k)]));
    }
    if (typeof value !== "string") return value;
    if (value.startsWith("@") && /colou?r/i.test(key || "")) return colours.getPropertyValue("--" + value.slice(1)).trim() || value;
    if (value.startsWith("fmt:")) return formatters[value.slice(4)] || value;
    return value;
  }

  function draw(box) {
    const source = document.getElementById(box.dataset.chart);
    if (!source || !window.echarts) return;
    const colours = getComputedStyle(root);
    const option = resolved(JSON.parse(source.textContent), colours, "");
    option.animation = false;
    Object.assign(option.tooltip, {
      formatter: (given) => tip(option, given),
      backgroundColor: colours.getPropertyValue("--card").trim(),
      borderColor: colours.getPropertyValue("--border").trim(),
      borderWidth: 1,
      padding: [6, 10],
      extraCssText: "box-shadow:none;border-radius:8px",
    });
    if (box.clientWidth < 420) narrow(option);
    let chart = charts.get(box);
    if (!chart) {
      chart = window.echarts.init(box, null, { renderer: "svg" });
      chart.on("click", (event) => {
        const to = told(chart.drawn, event, "href", "hrefs");
        if (to) location.assign(to);
      });
      charts.set(box, chart);
      sizes.observe(box);
    }
    chart.drawn = option;
    chart.setOption(option, true);
  }

  function narrow(option) {
    const names = option.yAxis && option.yAxis.axisLabel;
    if (names && names.width) names.width = 104;
    if (option.grid && option.grid.right > 60) option.grid.right = 58;
    if (option.xAxis && option.xAxis.type === "value") option.xAxis.splitNumber = 2;
  }

  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const chart = charts.get(entry.target);
      if (chart && entry.contentRect.width > 0) chart.resize();
    }
  });

  function drawAll() {
    for (const [box, chart] of charts) {
      if (!box.isConnected) {
        sizes.unobserve(box);
        chart.dispose();
        charts.delete(box);
      }
    }
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  // ---- a chart as a picture, twice as fine as the screen, on the card's colour ----
  async function savePicture(figure) {
    const drawn = figure.querySelector(".chart svg");
    if (!drawn) return;
    const { width, height } = drawn.getBoundingClientRect();
    const copy = drawn.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const image = new Image(width, height);
    image.src = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
    await image.decode();
    URL.revokeObjectURL(image.src);
    const title = figure.querySelector("h2").textContent;
    const paper = document.createElement("canvas");
    const colours = getComputedStyle(root);
    paper.width = 2 * width;
    paper.height = 2 * (height + 40);
    const pen = paper.getContext("2d");
    pen.scale(2, 2);
    pen.fillStyle = colours.getPropertyValue("--card");
    pen.fillRect(0, 0, width, height + 40);
    pen.fillStyle = colours.getPropertyValue("--text");
    pen.font = "600 14px Inter, system-ui, sans-serif";
    pen.fillText(title, 8, 24, width - 16);
    pen.drawImage(image, 0, 40, width, height);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await new Promise((done) => paper.toBlob(done, "image/png")));
    link.download = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-") + ".png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // a view is kept as it is seen: parts of the page may have been swapped since it was sent
  document.addEventListener("submit", (event) => {
    const kept = event.target.matches(".views form") && event.target.elements.address;
    if (kept) kept.value = location.pathname + location.search;
  });

  // ---- theme ----
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  dark.addEventListener("change", drawAll);
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.theme")) return;
    event.preventDefault();
    const next = shown() === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    document.querySelector('meta[name="color-scheme"]').content = next;
    document.cookie = `theme=${next}; path=${root.dataset.home || "/"}; max-age=31536000; samesite=lax`;
    drawAll();
  });

  // paper is white: charts are drawn in light colours for printing, and back again after it
  let onScreen;
  addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    root.dataset.theme = "light";
    drawAll();
  });
  addEventListener("afterprint", () => {
    if (onScreen) root.dataset.theme = onScreen;
    else delete root.dataset.theme;
    drawAll();
  });

  // ---- filters: a change sends the form, typing does after a rest ----
  let rest = 0;
  const send = (form) => {
    clearTimeout(rest);
    form.requestSubmit();
  };
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !("live" in form.dataset) || event.target.type !== "search") return;
    clearTimeout(rest);
    rest = setTimeout(() => send(form), 160);
  });
  // a slider moves the number beside it, and the other way round
  document.addEventListener("input", (event) => {
    const { moves } = event.target.dataset;
    if (moves) {
      const number = document.getElementById(moves);
      number.value = event.target.value;
      clearTimeout(rest);
      rest = setTimeout(() => send(number.form), 160);
      return;
    }
    const slider = event.target.id && document.querySelector(`[data-moves="${CSS.escape(event.target.id)}"]`);
    if (slider) slider.value = event.target.value || slider.defaultValue;
  });
  document.addEventListener("click", (event) => {
    const again = event.target.closest("[data-untry]");
    if (!again) return;
    event.preventDefault();
    for (const field of again.form.elements) if (field.name) field.value = "";
    for (const slider of again.form.querySelectorAll("[data-moves]")) slider.value = slider.defaultValue;
    send(again.form);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form && "live" in form.dataset && event.target.type !== "search") send(form);
  });

  // ---- the menu on a phone, and the way out of the column chooser ----
  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      const open = document.getElementById("nav").classList.toggle("open");
      menu.setAttribute("aria-expanded", String(open));
    }
    if (event.target.closest("[data-reload]")) location.reload();
    if (event.target.closest("[data-print]")) print();
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(location.href).then(
        () => (copy.textContent = "Copied"),
        () => (copy.textContent = "The browser allows no copying here"),
      );
    }
    const picture = event.target.closest("[data-picture]");
    if (picture) savePicture(picture.closest("figure"));
    document.querySelectorAll("details.chooser[open]").forEach((box) => {
      if (!box.contains(event.target)) box.open = false;
    });
    const link = event.target.closest("main a[id]");
    if (link) remember(link.id);
  });
  document.addEventListener("keydown", (event) => {
    const box = event.key === "Escape" && document.querySelector("details.chooser[open]");
    if (!box) return;
    box.open = false;
    box.querySelector("summary").focus();
  });

  // ---- focus: back from a customer, the reader is where they were ----
  const place = () => "focus:" + location.pathname + location.search;
  function remember(id) {
    try {
      sessionStorage.setItem(place(), id);
    } catch {
      // without storage, focus starts at the top
    }
  }
  function comeBack() {
    const [entry] = performance.getEntriesByType("navigation");
    if (!entry || !["back_forward", "reload"].includes(entry.type)) return;
    try {
      const link = document.getElementById(sessionStorage.getItem(place()) || "");
      if (link) link.focus();
    } catch {
      // as above
    }
  }

  // ---- htmx ----
  document.addEventListener("htmx:after:swap", () => {
    drawAll();
    if (document.activeElement === document.body) {
      const head = document.querySelector("#grid thead a, #grid a");
      if (head) head.focus({ preventScroll: true });
    }
  });
  document.addEventListener("htmx:error", () => {
    document.getElementById("offline").hidden = false;
  });
  document.addEventListener("htmx:after:request", () => {
    document.getElementById("offline").hidden = true;
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // ---- a profile follows the events of its customer: told by a stream, fetched as HTML ----
  const live = document.querySelector("[data-stream]");
  if (live && live.dataset.stream) {
    const stream = new EventSource(live.dataset.events);
    let fetching = null;
    let again = false;
    const refresh = async () => {
      if (fetching) {
        again = true;
        return;
      }
      do {
        again = false;
        fetching = fetch(live.dataset.stream, { headers: { "HX-Request": "true" } });
        try {
          const answer = await fetching;
          if (answer.ok) live.innerHTML = await answer.text();
        } catch {
          // away for a moment; the stream comes back by itself and tells the newest state
        }
        fetching = null;
      } while (again);
    };
    stream.addEventListener("profile", (event) => {
      if (event.lastEventId === live.dataset.seen) return;
      live.dataset.seen = event.lastEventId;
      refresh();
    });
    addEventListener("pagehide", () => stream.close());
  }

  drawAll();
  comeBack();
  root.dataset.ready = "true";
})();
