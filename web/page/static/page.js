// Adds what htmx's attributes cannot do: history while typing, the scroll position after "back", focus, error messages,
// and closing the "why" of a result.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  // --- history: "back" undoes all letters typed in a row as one step

  let typing = false;
  on("htmx:beforeHistoryUpdate", ({ detail }) => {
    const typed = detail.requestConfig.triggeringEvent?.type === "input";
    const same = detail.history.path === location.pathname + location.search;
    if ((typed && typing) || same) detail.history.type = "replace";
    typing = typed;
  });
  on("htmx:historyCacheMissLoadError", () => location.reload());

  // --- "back" returns to the scroll position. After a whole new page, the browser itself does this.

  const places = new Map(); // address -> how far the visitor has scrolled
  let leaving = false; // the address has changed, but its page is not shown yet
  let timer = 0;
  addEventListener("popstate", () => (leaving = true));
  on("scroll", () => {
    clearTimeout(timer);
    timer = setTimeout(() => leaving || places.set(location.href, scrollY), 100);
  });
  on("htmx:historyRestore", () => {
    leaving = false;
    scrollTo({ top: places.get(location.href) ?? 0, behavior: "instant" });
  });

  // --- while results load, and when they have loaded

  let sheet = { open: false, scrolled: 0 };
  let shown = 0;
  on("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt.id === "similar") return; // a part of a product's view, which nobody waits for
    id("results").setAttribute("aria-busy", "true");
    shown = id("products")?.children.length ?? 0;
  });
  on("htmx:afterRequest", ({ detail }) => {
    id("results").removeAttribute("aria-busy");
    if (detail.elt.id === "upload") detail.elt.reset(); // the same file can then be chosen again
  });
  // The on-screen keyboard covers the results, so it is closed.
  on("submit", () => matchMedia("(pointer: coarse)").matches && id("q").blur());
  on("htmx:beforeSwap", ({ detail }) => {
    const filters = id("filters");
    sheet = { open: filters?.matches(":popover-open"), scrolled: filters?.scrollTop ?? 0 };
    if (!detail.xhr.getResponseHeader("Windowshop-Page")) {
      detail.shouldSwap = false; // the answer comes from a proxy, or the request was refused before routing
      const [title, advice] = REFUSALS[detail.xhr.status] ?? [];
      failed(title, advice, detail.xhr.getResponseHeader("X-Request-Id"));
    }
  });
  on("htmx:afterSwap", ({ detail }) => {
    if (detail.target?.id === "results") {
      id("notice").replaceChildren();
      const filters = id("filters");
      if (sheet.open) filters.showPopover();
      filters.scrollTop = sheet.scrolled;
    }
  });
  on("htmx:afterSettle", ({ target, detail }) => {
    // If the element with the focus was removed, focus the first added result or variant. After a search, focus the heading.
    if (document.activeElement !== document.body || detail.requestConfig?.elt.id === "similar") return;
    const more = detail.target?.id === "products";
    const added = more ? detail.target.children[shown] : target.matches(".variants") && target.querySelector("a");
    const next = more || added ? added : id("count");
    if (next) {
      if (!next.href) next.tabIndex = -1;
      next.focus({ preventScroll: !more });
    }
  });

  // --- the page's language: the service sends translations of the texts below

  const texts = JSON.parse(document.querySelector("meta[name=texts]")?.content ?? "{}");
  const say = (text) => texts[text] ?? text;

  // --- errors for which this page sends no HTML: the message appears above the results

  const BUSY = ["The shop cannot be reached at the moment.", "Please try again in a moment."];
  const REFUSALS = {
    413: ["The image is too large.", "Choose a smaller copy of it."],
    429: ["These were too many searches in a short time.", "Wait a minute, then try again."],
    502: BUSY,
    503: BUSY,
    504: BUSY,
  };
  const failed = (title, detail, request) => {
    const message = id("failed").content.cloneNode(true);
    message.querySelector("[data-title]").textContent = say(title ?? "The shop did not answer the search.");
    message.querySelector("[data-detail]").textContent = say(detail ?? "");
    message.querySelector("[data-again]").href = location.href;
    message.querySelector("[data-request]").textContent = request ? `${say("Request")} ${request}` : "";
    id("notice").replaceChildren(message);
  };
  on("failed", ({ detail }) => failed(...detail));
  on("htmx:sendError", () => failed("The shop cannot be reached.", "Are you offline?"));

  // --- the open "why" of a result: Escape and a click elsewhere close it

  const close = (except) => {
    for (const why of document.querySelectorAll(".why[open]")) {
      if (why !== except) why.open = false;
    }
  };
  on("click", (event) => close(event.target.closest(".why")));
  on("keydown", (event) => {
    const why = event.key === "Escape" && document.activeElement.closest(".why[open]");
    if (why) why.querySelector("summary").focus();
    if (event.key === "Escape") close();
  });
})();
