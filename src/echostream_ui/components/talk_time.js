// How long each speaker speaks: a bar, and the same in words.

function made(name, voice, text) {
  const element = document.createElement(name);
  element.style.setProperty("--voice", voice);
  element.append(text);
  return element;
}

export default function ({ parentElement, data }) {
  const list = parentElement.querySelector("ul");
  list.setAttribute("aria-label", data.label);
  list.replaceChildren(
    ...data.people.map(({ name, voice, told }) => {
      const item = made("li", voice, `${name} `);
      const share = made("span", voice, told);
      share.className = "share";
      item.append(share);
      return item;
    }),
  );
  parentElement.querySelector(".bar").replaceChildren(
    ...data.people.map(({ voice, share }) => {
      const part = made("span", voice, "");
      part.style.flex = `${share} 0 0`;
      return part;
    }),
  );
}
