// Comfort for the pages, which work without it: a key for the search box, suggestions, the state of a
// running sync, buttons that copy. Addresses are the page's, since a proxy may add a prefix. Texts become text nodes, never HTML.
"use strict";

// In milliseconds.
const TYPING_PAUSE = 150;
const SYNC_PAUSE = 3_000;
const LONGEST_SYNC_PAUSE = 60_000;

// With it the service asks for the page's password, which the browser repeats.
const OWN = { headers: { "X-Requested-With": "hub.js" } };

const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
};

// For screen readers.
const announcer = make("p", { role: "status", class: "visually-hidden" });
document.querySelector("main")?.append(announcer);
const announce = (text) => {
  announcer.textContent = text;
};

// "/" moves to the search box, except where somebody types or presses another key with it.
const focusOnSlash = (box) => {
  document.addEventListener("keydown", (event) => {
    const isModified = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
    const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || isModified || isTyping || event.defaultPrevented) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
};

// The search box as a combobox: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
const suggest = (form, box) => {
  const list = make("ul", { id: "hub-suggestions", class: "suggestions", role: "listbox", "aria-label": "Suggestions" });
  list.hidden = true;
  form.append(list);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");

  let active = -1; // the option that is chosen with the arrow keys
  let timer = 0;
  let loading = new AbortController();

  const show = (isShown) => {
    list.hidden = !isShown;
    box.setAttribute("aria-expanded", String(isShown));
    if (!isShown) activate(-1);
  };

  const activate = (index) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = index;
    const option = list.children[active];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) box.setAttribute("aria-activedescendant", option.id);
    else box.removeAttribute("aria-activedescendant");
  };

  const close = () => {
    clearTimeout(timer);
    loading.abort();
    show(false);
  };

  // `marked` is escaped HTML with <mark>; its texts are taken out of a document that runs nothing.
  const marks = (marked) =>
    [...new DOMParser().parseFromString(marked, "text/html").body.childNodes].map((node) =>
      node.nodeName === "MARK" ? make("mark", {}, node.textContent) : node.textContent,
    );

  const fill = (suggestions) => {
    const found = suggestions.flatMap(({ document: { id, title, project }, headings }) =>
      headings.map((heading) => ({ id, title, project, ...heading })),
    );
    list.replaceChildren(
      ...found.map(({ id, title, project, text, anchor, marked }, index) => {
        const place = [...(text === title ? [] : [title]), ...(form.dataset.project ? [] : [project.name])];
        const attributes = { id: `hub-suggestion-${index}`, role: "option", "aria-selected": "false" };
        const option = make("li", attributes, make("span", {}, ...marks(marked)), " ");
        if (place.length) option.append(make("span", { class: "muted" }, place.join(" – ")));
        option.dataset.address = `${form.dataset.documents}/${id}${anchor ? `#${encodeURIComponent(anchor)}` : ""}`;
        return option;
      }),
    );
    activate(-1);
    show(found.length > 0);
    announce(found.length ? `${found.length} suggestions` : "");
  };

  const load = async () => {
    const typed = box.value.trim();
    if (!typed) return;
    const { signal } = (loading = new AbortController());
    const url = new URL(form.dataset.suggestions, location.href);
    url.searchParams.set("q", typed);
    if (form.dataset.project) url.searchParams.set("project_id", form.dataset.project);
    try {
      const response = await fetch(url, { signal, ...OWN });
      if (!response.ok) throw new Error(`${response.status}`);
      const { suggestions } = await response.json();
      if (!signal.aborted) fill(suggestions);
    } catch {
      // The box still searches, as while the service restarts.
      if (!signal.aborted) show(false);
    }
  };

  const follow = (option) => {
    close();
    location.assign(option.dataset.address);
  };

  box.addEventListener("input", () => {
    clearTimeout(timer);
    loading.abort();
    activate(-1); // of the old text
    if (!box.value.trim()) fill([]);
    else timer = setTimeout(load, TYPING_PAUSE);
  });

  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const count = list.children.length;
    if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) box.blur();
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const places = count + 1; // the options, and the box itself
      const next = ((active + 1 + step + places) % places) - 1;
      if (list.hidden) show(true);
      activate(next);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      follow(list.children[active]);
    }
  });

  box.addEventListener("blur", close);
  form.addEventListener("submit", close);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) follow(option);
  });
};

// While a run is queued or running, and somebody sees the page, its state is asked for.
const followSync = (element) => {
  const text = element.querySelector("[data-sync-text]") ?? element;
  let pause = SYNC_PAUSE;
  let timer = 0;

  const isRunning = () => ["queued", "running", "syncing"].includes(element.dataset.syncState);

  const plan = () => {
    clearTimeout(timer);
    if (isRunning() && document.visibilityState === "visible") timer = setTimeout(ask, pause);
  };

  const ask = async () => {
    try {
      const response = await fetch(element.dataset.syncStatus, { cache: "no-store", ...OWN });
      if (!response.ok) throw new Error(`${response.status}`);
      const { status, message } = await response.json();
      element.dataset.syncState = status;
      text.textContent = message;
      pause = SYNC_PAUSE;
      if (!isRunning()) {
        announce(message);
        text.append(" ", make("a", { href: location.pathname + location.search }, "Show its changes"));
      }
    } catch {
      pause = Math.min(2 * pause, LONGEST_SYNC_PAUSE);
    }
    plan();
  };

  document.addEventListener("visibilitychange", plan);
  plan();
};

// A button that copies code. Browsers let pages copy on HTTPS, and on this machine.
const addCopyButton = (block) => {
  const button = make("button", { type: "button", class: "copy-button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.textContent);
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => { button.textContent = "Copy"; }, 2_000);
  });
  const frame = make("div", { class: "copy-frame" });
  block.before(frame);
  frame.append(block, button);
};

const box = document.getElementById("hub-search-box");
if (box) focusOnSlash(box);
if (box?.form.dataset.suggestions) suggest(box.form, box);
document.querySelectorAll("[data-sync-status]").forEach(followSync);
document.querySelectorAll("[data-needs-script]").forEach((element) => { element.hidden = false; });
if (navigator.clipboard) document.querySelectorAll("main pre").forEach(addCopyButton);
