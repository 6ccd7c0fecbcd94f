// Shows an image of a product in full size, and lists the products that the visitor has viewed. Only the browser keeps
// this list.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  on("click", (event) => {
    const link = event.target.closest("[data-zoom]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const zoom = id("zoom");
    zoom.querySelector("img").src = link.href;
    zoom.showModal();
  });
  on("click", ({ target }) => target.closest("#zoom img") && id("zoom").close());

  // --- recently viewed

  const MOST = 12;
  // A host may have several shops: each path prefix and each catalog has a list of its own.
  const root = id("search").getAttribute("action");
  const KEY = `windowshop.seen${root}${id("search").elements.namedItem("catalog")?.value ?? ""}`;
  const isSeen = (one) =>
    typeof one?.title === "string" && typeof one.address === "string" && one.address.startsWith(`${root}product?`);
  const isImage = (image) => typeof image === "string" && /^(https:\/)?\/[^/\\]/.test(image);
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)).filter(isSeen).slice(0, MOST);
    } catch {
      return []; // the browser keeps nothing, or keeps something else under this name
    }
  };
  const bare = (address) => address.replace(/&lang=[a-z]+$/, ""); // the visitor may choose another language later
  const note = () => {
    const { seen, title, image } = id("results").dataset;
    if (!seen) return;
    const address = bare(seen);
    const others = read().filter((one) => one.address !== address);
    try {
      localStorage.setItem(KEY, JSON.stringify([{ address, title, image }, ...others].slice(0, MOST)));
    } catch {}
  };
  const list = () => {
    const place = id("seen");
    const seen = read();
    const lang = id("search").elements.namedItem("lang")?.value;
    if (!place || !seen.length) return;
    const items = seen.map(({ address, title, image }) => {
      const item = id("seen-item").content.cloneNode(true);
      item.querySelector("a").href = bare(address) + (lang ? `&lang=${lang}` : "");
      item.querySelector("[data-title]").textContent = title;
      const shown = item.querySelector("img");
      if (isImage(image)) shown.src = image.startsWith("/") ? `${image}&size=128` : image;
      else shown.remove();
      return item;
    });
    place.querySelector("ul").replaceChildren(...items);
    place.hidden = false;
  };
  on("click", ({ target }) => {
    if (!target.closest("[data-forget]")) return;
    try {
      localStorage.removeItem(KEY);
    } catch {}
    id("seen").hidden = true;
    id("count").focus({ preventScroll: true });
  });
  // The shop may record that this product was found by a search. A copied address should not name the search.
  const own = new URL(location);
  if (own.searchParams.has("from")) {
    own.searchParams.delete("from");
    history.replaceState(history.state, "", own);
  }
  const start = () => {
    note();
    list();
  };
  on("htmx:afterSettle", ({ detail }) => detail.target?.id === "results" && list());
  on("htmx:historyRestore", start);
  start();
})();
