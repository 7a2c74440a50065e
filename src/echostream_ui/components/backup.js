// Downloads the library, and uploads one: in pieces, and not through Streamlit, which would hold
// all of it in memory.

const BROKEN = { messages: ["The connection broke. Reload the page, and try again."], ticket: null };

/** Our routes lie beside the page, under whatever path both are served. */
function route(query = "") {
  const folder = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "");
  return `${folder || "/"}library.zip${query}`;
}

function send(file, ticket, onShare) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // `fetch` does not tell how much has been sent
    request.open("POST", route(`?ticket=${encodeURIComponent(ticket)}`));
    request.setRequestHeader("Content-Type", "application/zip");
    request.upload.onprogress = ({ loaded, total }) => onShare(loaded / total);
    request.onload = () => {
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        resolve(BROKEN);
      }
    };
    request.onerror = () => resolve(BROKEN);
    request.send(file);
  });
}

export default function ({ parentElement, data }) {
  const part = (selector) => parentElement.querySelector(selector);
  const [button, progress, input] = [part("button"), part("progress"), part("input")];
  const tell = (messages) => {
    part(".messages").replaceChildren(
      ...messages.map((message) => {
        const line = document.createElement("p");
        line.textContent = message;
        return line;
      }),
    );
  };
  let { ticket } = data;
  part("a").href = route(data.query && `?${data.query}`);
  part("form").onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    progress.hidden = false;
    tell(["Uploading…"]);
    const answer = await send(input.files[0], ticket, (share) => {
      progress.value = share;
      if (share === 1) tell(["Reading the archive…"]);
    });
    progress.hidden = true;
    button.disabled = false;
    tell(answer.messages);
    ticket = answer.ticket;
  };
}
