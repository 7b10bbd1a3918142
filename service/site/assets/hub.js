"use strict";

// A key moves to the search box, as on GitHub: not where somebody types, and not with a modifier.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  event.preventDefault();
  const box = document.getElementById("search-box");
  box.focus();
  box.select();
});
