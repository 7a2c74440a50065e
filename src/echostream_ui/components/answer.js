// An answer to a question. Buttons in it stand for what bears it out, and make the player go there;
// links lead to another recording's page.

export default function ({ parentElement, data }) {
  parentElement
    .querySelector(".answer")
    .replaceChildren(
      ...data.parts.map((part) =>
        typeof part === "string" ? part : part.media ? placeLink(part) : placeButton(part, () => goTo(part.line)),
      ),
    );
}

function placeLink({ media, line, words, label, title }) {
  const made = document.createElement("a");
  made.href = addressOf("recording", { id: media, line });
  made.textContent = label;
  made.title = words;
  made.setAttribute("aria-label", title);
  made.addEventListener("click", (event) => {
    if (isForBrowser(event)) return;
    event.preventDefault();
    openPage(made.href);
  });
  return made;
}
