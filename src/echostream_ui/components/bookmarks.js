// The places that the user marked: links that play from there, with a note each.

const shown = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const asText = JSON.stringify(data);
  if (shown.get(parentElement) === asText) return; // what is being typed stays
  shown.set(parentElement, asText);
  const list = parentElement.querySelector("ul");
  list.replaceChildren(...data.bookmarks.map((each) => item(each, data.recording, setTriggerValue)));
}

function item({ at, clock, note }, recording, tell) {
  const made = document.createElement("li");
  made.append(link(at, clock, recording), noteField(at, clock, note, tell), removal(at, clock, tell));
  return made;
}

function link(at, clock, recording) {
  const place = document.createElement("a");
  place.textContent = clock;
  place.href = `?${new URLSearchParams({ id: recording, t: at })}`;
  place.setAttribute("aria-label", `Play from ${clock}`);
  place.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const asked = new CustomEvent("echostream-goto", { detail: { at }, cancelable: true });
    if (!window.dispatchEvent(asked)) event.preventDefault(); // the player is there, and has heard
  };
  return place;
}

function noteField(at, clock, note, tell) {
  const field = document.createElement("input");
  Object.assign(field, { type: "text", value: note, placeholder: "Note", maxLength: 1000 });
  field.setAttribute("aria-label", `Note at ${clock}`);
  field.onchange = () => tell("edit", { at, note: field.value });
  // The player and Streamlit have shortcuts of their own.
  field.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "Enter") field.blur();
  };
  return field;
}

function removal(at, clock, tell) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "×";
  button.setAttribute("aria-label", `Remove the bookmark at ${clock}`);
  button.onclick = () => tell("edit", { at, note: null });
  return button;
}
