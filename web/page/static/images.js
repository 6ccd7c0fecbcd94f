// Lets visitors search by an image that they choose, drop or paste, and replaces images that cannot be loaded.
"use strict";
(() => {
  const on = (type, act) => document.addEventListener(type, act);
  const id = (name) => document.getElementById(name);

  // --- images: chosen, dropped or pasted anywhere on the page; the form of the file input uploads them

  const EDGE = 1024; // a larger photograph is scaled down before its upload, because a proxy may refuse large files
  const refuse = () => {
    const detail = ["This is not an image.", "Drop a photograph or another image file."];
    document.dispatchEvent(new CustomEvent("failed", { detail })); // page.js shows the message
  };

  const scaled = async (file) => {
    const bitmap = await createImageBitmap(file).catch(() => null); // the server opens more formats than browsers do
    const scale = bitmap ? EDGE / Math.max(bitmap.width, bitmap.height) : 1;
    if (scale >= 1) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff"; // JPEG has no transparency
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const small = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    return small ? new File([small], "photo.jpg", { type: small.type }) : file;
  };
  const upload = async (file, address = "") => {
    const given = new DataTransfer();
    if (file) given.items.add(await scaled(file));
    id("file").files = given.files;
    id("image-address").value = address;
    id("upload").dispatchEvent(new Event("chosen"));
  };
  const imageOf = (files) => [...(files ?? [])].find((file) => file.type.startsWith("image/"));

  // An image dragged from a page has an address. The service, not the browser, fetches an image of another site: a fetch
  // by the browser could do something in the visitor's name, such as sign out of the shop.
  const dragged = async (data) => {
    const html = new DOMParser().parseFromString(data.getData("text/html"), "text/html");
    const address = html.querySelector("img")?.src || data.getData("text/uri-list").split(/\s/)[0];
    const inline = address?.match(/^data:(image\/[\w.+-]+);base64,(.*)$/);
    if (inline) {
      const bytes = Uint8Array.from(atob(inline[2]), (letter) => letter.charCodeAt(0));
      return upload(new File([bytes], "image", { type: inline[1] }));
    }
    const { protocol, origin, pathname } = new URL(address);
    if (!/^https?:$/.test(protocol)) return refuse();
    const root = id("search").getAttribute("action");
    const isOurs = ["images/", "picture/"].some((folder) => pathname.startsWith(root + folder));
    if (origin !== location.origin || !isOurs) return upload(null, address);
    const own = await fetch(address, { credentials: "omit" }).then((answer) => answer.blob());
    return own.type.startsWith("image/") ? upload(new File([own], "image", { type: own.type })) : refuse();
  };
  const brings = (event) => event.dataTransfer?.types.some((type) => type === "Files" || type === "text/uri-list");
  const dropping = (is) => document.body.classList.toggle("dropping", is);

  on("change", ({ target }) => ["file", "camera"].includes(target.id) && target.files.length && upload(target.files[0]));
  on("click", ({ target }) => target.closest("[data-camera]") && id("camera").click());
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
    const { dataTransfer } = event;
    const image = imageOf(dataTransfer.files);
    if (image) upload(image);
    else if (dataTransfer.files.length) refuse();
    else dragged(dataTransfer).catch(refuse);
  });
  on("paste", (event) => {
    const image = imageOf(event.clipboardData?.files);
    if (!image) return;
    event.preventDefault();
    upload(image);
  });

  // --- images that cannot be loaded: a tile shows a sign instead, and a small image disappears

  const missing = (image) => {
    image.closest(".tile")?.classList.add("missing");
    image.remove();
  };
  document.addEventListener("error", ({ target }) => target.matches?.("main img") && missing(target), true);
  for (const image of document.querySelectorAll("main img")) {
    if (image.complete && !image.naturalWidth) missing(image); // failed before this script ran
  }
})();
