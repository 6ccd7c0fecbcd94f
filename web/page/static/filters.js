// Lets visitors search inside a long list of values, and set the price with a slider.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  const find = (box) => {
    const wanted = box.value.trim().toLowerCase();
    const list = box.closest("fieldset");
    for (const item of list.querySelectorAll("li")) {
      item.hidden = !item.querySelector("span").textContent.toLowerCase().includes(wanted);
    }
    const rest = list.querySelector("details");
    if (rest && wanted) rest.open = true;
  };

  // A position is log(1 + price / middle), as in prices.py. The price is rounded to two significant digits.
  const priceAt = (slider, share) => {
    const [low, middle, high] = ["low", "middle", "high"].map((name) => Number(slider.dataset[name]));
    const [first, last] = [Math.log1p(low / middle), Math.log1p(high / middle)];
    return Number((middle * Math.expm1(first + share * (last - first))).toPrecision(2));
  };
  const slide = (handle) => {
    const [lowest, highest] = handle.parentElement.children;
    if (Number(lowest.value) > Number(highest.value)) handle.value = (handle === lowest ? highest : lowest).value;
    const atEnd = handle.value === (handle === lowest ? handle.min : handle.max);
    const bound = id(handle.dataset.bound);
    bound.value = atEnd ? "" : priceAt(handle.parentElement, handle.value / handle.max);
    handle.setAttribute("aria-valuetext", bound.value || bound.placeholder);
  };

  on("input", ({ target }) => {
    if ("find" in target.dataset) find(target);
    if (target.dataset.bound) slide(target);
  });
  on("change", ({ target }) => {
    if (target.dataset.bound) id(target.dataset.bound).dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
