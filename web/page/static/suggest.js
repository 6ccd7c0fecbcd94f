// Completes what a visitor types, as a combobox of the WAI-ARIA Authoring Practices: the focus stays in the box, and
// aria-activedescendant names the chosen suggestion. "/" puts the focus into the box.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);
  const WAIT = 80; // milliseconds after the last letter
  let timer = 0;
  let asked = new AbortController();

  const active = () => id("suggestions").querySelector("[aria-selected=true]");
  const choose = (option) => {
    active()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) id("q").setAttribute("aria-activedescendant", option.id);
    else id("q").removeAttribute("aria-activedescendant");
  };
  const show = (html) => {
    const list = id("suggestions");
    list.innerHTML = html;
    list.hidden = list.childElementCount === 0;
    id("q").setAttribute("aria-expanded", String(!list.hidden));
    choose(null);
  };
  const close = () => {
    clearTimeout(timer);
    asked.abort();
    show("");
  };
  const ask = async () => {
    asked = new AbortController();
    const box = id("q");
    const catalog = box.form.elements.catalog?.value ?? "";
    const lang = box.form.elements.lang?.value ?? "";
    const address = `${id("suggestions").dataset.address}?${new URLSearchParams({ q: box.value, catalog, lang })}`;
    const answer = await fetch(address, { signal: asked.signal }).catch(() => null); // aborted, or offline
    if (!answer?.ok || !answer.headers.get("Windowshop-Page")) return;
    const html = await answer.text().catch(() => "");
    if (document.activeElement === box) show(html);
  };
  const take = (option) => {
    const { address } = option.dataset;
    const text = option.firstChild.textContent.trim();
    close();
    if (address) {
      location.assign(address);
    } else {
      id("q").value = text;
      id("q").form.requestSubmit();
    }
  };
  const prepare = () => {
    const box = id("q");
    box.setAttribute("role", "combobox");
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-controls", "suggestions");
    show("");
  };

  on("input", ({ target }) => {
    if (target.id !== "q") return;
    clearTimeout(timer);
    asked.abort();
    if (target.value.trim()) timer = setTimeout(ask, WAIT);
    else close();
  });
  const press = (event) => {
    const options = [...id("suggestions").children];
    const place = options.indexOf(active());
    if (event.isComposing || !options.length) return;
    if (event.key === "Enter" && place >= 0) take(options[place]);
    else if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") choose(options[place + 1]);
    else if (event.key === "ArrowUp") choose(options[(place < 0 ? options.length : place) - 1]);
    else return;
    event.preventDefault();
  };
  on("keydown", (event) => {
    if (event.target.id === "q") return press(event);
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    event.preventDefault();
    id("q").focus();
    id("q").select();
  });
  on("submit", ({ target }) => target.id === "search" && close());
  on("focusout", ({ target }) => target.id === "q" && close());
  on("mousedown", (event) => event.target.closest("#suggestions") && event.preventDefault()); // the box keeps the focus
  on("click", ({ target }) => {
    const option = target.closest("#suggestions [role=option]");
    if (option) take(option);
  });
  on("htmx:historyRestore", prepare);
  prepare();
})();
