// While results load for longer than a moment, the cards become placeholders of the same size.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const results = () => document.getElementById("results");
  const MOMENT = 200; // milliseconds; a shorter wait needs no sign
  const PAUSE = 100; // milliseconds; a request that follows this soon continues the wait
  const pending = new Set(); // the requests for results that still run
  let begin = 0;
  let end = 0;

  on("htmx:beforeRequest", ({ detail }) => {
    if (!["results", "image"].includes(detail.target?.id)) return; // "More results" keeps its products
    pending.add(detail.xhr);
    clearTimeout(end);
    begin ||= setTimeout(() => results().classList.add("waiting"), MOMENT);
  });
  on("htmx:afterRequest", ({ detail }) => {
    if (!pending.delete(detail.xhr) || pending.size) return; // the request was not for results, or another one still runs
    end = setTimeout(() => {
      clearTimeout(begin);
      begin = 0;
      results().classList.remove("waiting");
    }, PAUSE);
  });
})();
