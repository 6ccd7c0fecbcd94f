// Lets visitors choose the part of their image that is searched, by pointer or keyboard.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  const LEAST = 0.05; // smallest width and height that can be chosen, as a share of the image
  const STEP = 0.05; // how far an arrow key moves an edge, as a share of the image
  const WAIT = 700; // milliseconds after the last key, so that not every key starts a search
  const NEAR = 22; // pixels around a corner that take hold of the corner
  const WHOLE = [0, 0, 1, 1];
  const between = (low, number, high) => Math.min(Math.max(number, low), high);
  const isWhole = ([, , width, height]) => width > 0.995 && height > 0.995;
  const written = (box) => (isWhole(box) ? "" : box.map((number) => Number(number.toFixed(3))).join());

  const searched = () => (id("box").value ? id("box").value.split(",").map(Number) : WHOLE);
  let box = null; // the part while the visitor changes it: left, top, width and height
  let drag = null; // what the pointer drags: the part, one of its corners, or a new part
  let timer = 0;

  const show = () => {
    const [x, y, width, height] = (box ?? searched()).map((number) => Math.round(number * 1000));
    const part = id("region").parentElement.querySelector(".part");
    part.classList.toggle("whole", width > 995 && height > 995);
    part.querySelector(".shade").setAttribute("d", `M0 0H1000V1000H0ZM${x} ${y}h${width}v${height}h-${width}z`);
    for (const [name, value] of Object.entries({ x, y, width, height })) part.querySelector(".edge").setAttribute(name, value);
    const corners = `M${x} ${y}h0m${width} 0h0m0 ${height}h0m-${width} 0h0`;
    part.querySelector(".corners").setAttribute("d", corners);
  };
  const say = () => {
    const { said, whole } = id("region").dataset;
    const share = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
    const [left, top, width, height] = box.map((number) => share.format(number));
    const values = { left, top, width, height };
    id("status").textContent = isWhole(box) ? whole : said.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
  const search = () => {
    clearTimeout(timer);
    const chosen = box;
    box = drag = null;
    if (!chosen || !id("box") || written(chosen) === id("box").value) return;
    id("box").value = written(chosen);
    id("search").requestSubmit();
  };
  const forget = () => {
    clearTimeout(timer);
    box = drag = null;
    if (id("region")) show();
  };

  // --- a pointer draws a new part, moves the part, or drags one of its corners

  const place = ({ clientX, clientY }) => {
    const { left, top, width, height } = id("region").getBoundingClientRect();
    return [between(0, (clientX - left) / width, 1), between(0, (clientY - top) / height, 1)];
  };
  const grip = (event) => {
    const { width, height } = id("region").getBoundingClientRect();
    const [x, y] = place(event);
    const [left, top, wide, high] = box ?? searched();
    if (isWhole([left, top, wide, high])) return { from: [x, y] }; // the whole image has no corners to drag
    const far = (a, b, length) => Math.abs(a - b) * length;
    for (const [nearX, farX] of [[left, left + wide], [left + wide, left]]) {
      for (const [nearY, farY] of [[top, top + high], [top + high, top]]) {
        if (Math.hypot(far(x, nearX, width), far(y, nearY, height)) < NEAR) return { from: [farX, farY], corner: [nearX - farX, nearY - farY] };
      }
    }
    const inside = x > left && x < left + wide && y > top && y < top + high;
    if (inside) return { moved: [x - left, y - top] };
    return { from: [x, y] };
  };
  const kind = ({ corner, moved }) => (corner ? (corner[0] * corner[1] > 0 ? "falling" : "rising") : moved ? "inside" : "");

  on("pointerdown", (event) => {
    if (event.target.id !== "region" || !event.isPrimary || event.button > 0) return;
    clearTimeout(timer);
    drag = grip(event);
    event.target.setPointerCapture(event.pointerId);
  });
  on("pointermove", (event) => {
    if (event.target.id !== "region") return;
    if (!drag) {
      event.target.dataset.under = kind(grip(event)); // the style sheet gives the pointer its shape
      return;
    }
    const [x, y] = place(event);
    if (drag.moved) {
      const [, , width, height] = box ?? searched();
      box = [between(0, x - drag.moved[0], 1 - width), between(0, y - drag.moved[1], 1 - height), width, height];
    } else {
      const [width, height] = [Math.abs(x - drag.from[0]), Math.abs(y - drag.from[1])];
      if (Math.max(width, height) < LEAST / 2 && !box) return; // a click, or the beginning of a drag
      const [wide, high] = [Math.max(width, LEAST), Math.max(height, LEAST)];
      const left = between(0, Math.min(x, drag.from[0]), 1 - wide);
      box = [left, between(0, Math.min(y, drag.from[1]), 1 - high), wide, high];
    }
    show();
  });
  on("pointerup", ({ target }) => {
    if (target.id !== "region" || !drag) return;
    if (box) say();
    search();
  });
  on("pointercancel", ({ target }) => target.id === "region" && forget());

  // --- arrow keys move the part, and with Shift they change its size

  const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  on("keydown", (event) => {
    if (event.target.id !== "region" || event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = ARROWS[event.key] ?? [];
    if (event.key === "Escape") return forget();
    if (event.key === "Enter") return search();
    if (x === undefined) return;
    event.preventDefault();
    const [left, top, width, height] = box ?? searched();
    box = event.shiftKey
      ? [left, top, between(LEAST, width + x, 1 - left), between(LEAST, height + y, 1 - top)]
      : [between(0, left + x, 1 - width), between(0, top + y, 1 - height), width, height];
    show();
    say();
    clearTimeout(timer);
    timer = setTimeout(search, WAIT);
  });
  on("htmx:beforeSwap", ({ detail }) => detail.target?.id === "results" && forget()); // the new page has its own part
})();
