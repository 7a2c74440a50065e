// A button for a place in a recording that bears a statement out.

function placeButton({ clock, words }, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = clock;
  made.title = words;
  made.setAttribute("aria-label", `Play from ${clock}`);
  made.addEventListener("click", onClick);
  return made;
}

/** Make the player on this page go to a line. */
function goTo(line) {
  window.dispatchEvent(new CustomEvent("echostream-goto", { detail: { line } }));
}
