// Adds what htmx's attributes cannot do: dropped and pasted images, history while typing, focus, error messages, and
// closing the "why" of a result.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  // --- images: dropped or pasted anywhere on the page; the file input uploads them

  const search = (files) => {
    const image = [...(files ?? [])].find((file) => file.type.startsWith("image/"));
    if (!image) return false;
    const given = new DataTransfer();
    given.items.add(image);
    id("file").files = given.files;
    id("file").dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };
  const brings = (event) => event.dataTransfer?.types.includes("Files");
  const dropping = (is) => document.body.classList.toggle("dropping", is);

  on("dragover", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    dropping(true);
  });
  on("dragleave", (event) => {
    if (!event.relatedTarget) dropping(false); // the image left the window
  });
  on("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    dropping(false);
    search(event.dataTransfer.files);
  });
  on("paste", (event) => {
    if (search(event.clipboardData?.files)) event.preventDefault();
  });

  // --- history: "back" undoes all letters typed in a row as one step

  let typing = false;
  on("htmx:beforeHistoryUpdate", ({ detail }) => {
    const typed = detail.requestConfig.triggeringEvent?.type === "input";
    const same = detail.history.path === location.pathname + location.search;
    if ((typed && typing) || same) detail.history.type = "replace";
    typing = typed;
  });
  on("htmx:historyCacheMissLoadError", () => location.reload());

  // --- while results load, and when they have loaded

  let sheet = { open: false, scrolled: 0 };
  let shown = 0;
  on("htmx:beforeRequest", () => {
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
    sheet = { open: filters.matches(":popover-open"), scrolled: filters.scrollTop };
    if (!detail.xhr.getResponseHeader("Content-Type")?.startsWith("text/html")) {
      detail.shouldSwap = false; // a request that is refused before routing gets an answer that is not HTML
      let problem = {};
      try {
        problem = JSON.parse(detail.xhr.responseText);
      } catch {}
      failed(problem.title, problem.detail, detail.xhr.getResponseHeader("X-Request-Id"));
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
  on("htmx:afterSettle", ({ detail }) => {
    // If the element with the focus was removed, focus the first added result, or the heading after a new search.
    if (document.activeElement !== document.body) return;
    const more = detail.target?.id === "products";
    const next = more ? detail.target.children[shown] : id("count");
    if (next) {
      next.tabIndex = -1;
      next.focus({ preventScroll: !more });
    }
  });

  // --- errors for which the server sends no HTML: the message appears above the results

  const failed = (title, detail, request) => {
    const message = id("failed").content.cloneNode(true);
    message.querySelector("[data-title]").textContent = title ?? "The shop did not answer the search.";
    message.querySelector("[data-detail]").textContent = detail ?? "";
    message.querySelector("[data-again]").href = location.href;
    message.querySelector("[data-request]").textContent = request ? `Request ${request}` : "";
    id("notice").replaceChildren(message);
  };
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
