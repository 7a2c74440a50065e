// An answer to a question. Buttons in it stand for what bears it out: they make the player go there,
// or ask the server to open the recording.

export default function ({ parentElement, data, setTriggerValue }) {
  const open = (place) =>
    place.media ? setTriggerValue("open", { media: place.media, line: place.line }) : goTo(place.line);
  parentElement
    .querySelector(".answer")
    .replaceChildren(
      ...data.parts.map((part) =>
        typeof part === "string" ? part : placeButton(part, () => open(part)),
      ),
    );
}
