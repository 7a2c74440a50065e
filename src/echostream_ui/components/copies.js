// Buttons that copy a text each.

const TOLD_MS = 2_500;

export default function ({ parentElement, data }) {
  const status = parentElement.querySelector("[role=status]");
  parentElement.querySelector(".copies").replaceChildren(
    ...data.copies.map(({ label, text }) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", async () => {
        const isCopied = await copied(text);
        status.textContent = isCopied ? "Copied." : "This browser does not let pages copy.";
        clearTimeout(status.telling);
        status.telling = setTimeout(() => (status.textContent = ""), TOLD_MS);
      });
      return button;
    }),
  );
}
