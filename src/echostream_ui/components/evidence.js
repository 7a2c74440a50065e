// Statements, each with buttons for the places in the recording that bear it out.

export default function ({ parentElement, data }) {
  const list = parentElement.querySelector(".points");
  list.classList.toggle("bare", data.points.every(({ text }) => !text));
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.points.map(({ text, places }) => {
      const item = document.createElement("li");
      const buttons = places.map((place) => placeButton(place, () => goTo(place.line)));
      item.append(text, text ? " " : "", ...buttons);
      return item;
    }),
  );
}
