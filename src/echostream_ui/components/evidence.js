// Statements, each with buttons for the places in the recording that bear it out.

function placeButton({ line, clock, words }) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = clock;
  made.title = words;
  made.setAttribute("aria-label", `Play from ${clock}`);
  made.addEventListener("click", () =>
    window.dispatchEvent(new CustomEvent("echostream-goto", { detail: { line } })),
  );
  return made;
}

export default function ({ parentElement, data }) {
  const list = parentElement.querySelector(".points");
  list.classList.toggle("bare", data.points.every(({ text }) => !text));
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.points.map(({ text, places }) => {
      const item = document.createElement("li");
      item.append(text, text ? " " : "", ...places.map(placeButton));
      return item;
    }),
  );
}
