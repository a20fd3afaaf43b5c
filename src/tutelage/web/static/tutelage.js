// The pages' own module: streams the model's draft, and follows a run on the training page. All else is plain HTML and htmx.

const csrf = document.body.dataset.csrf;

// The events of a response with server-sent events: {name, data} one by one.
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const whole = rest.split("\n\n");
    rest = whole.pop();
    for (const block of whole) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data) yield { name: fields.event ?? "message", data: JSON.parse(fields.data) };
    }
  }
}

class Draft {
  constructor(card) {
    this.say = card.dataset;
    for (const part of ["model", "text", "state", "origin", "use", "stop"]) this[part] = document.getElementById(`draft-${part}`);
    this.stop.addEventListener("click", () => this.leaving?.abort());
  }

  async write(form) {
    this.leaving?.abort();
    const leaving = (this.leaving = new AbortController());
    this.begin();
    try {
      const response = await fetch("/api/clauses/stream", {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": csrf },
        body: JSON.stringify({ type: form.get("type"), keywords: form.get("keywords"), language: form.get("language") }),
        signal: leaving.signal,
      });
      if (response.status === 400) return this.finish(""); // the library's side says what to change
      if (!response.ok) throw new Error((await response.json()).error.message);
      for await (const event of eventsOf(response)) this.hear(event);
    } catch (error) {
      if (leaving !== this.leaving) return;
      this.finish(leaving.signal.aborted ? this.say.stopped : `${this.say.failed} ${error.message}`);
    }
  }

  begin() {
    this.text.textContent = "";
    this.text.classList.add("writing");
    this.text.hidden = false;
    this.model.hidden = this.use.hidden = true;
    this.stop.hidden = false;
    this.state.textContent = this.say.writing;
  }

  hear({ name, data }) {
    if (name === "piece") this.text.append(data.text);
    if (name === "error") this.finish(data.code === "too_many_requests" ? this.say.crowded : `${this.say.failed} ${data.message}`);
    if (name === "end") this.end(data.draft);
  }

  end(draft) {
    if (!draft) return this.finish(this.say.noModel);
    if (!draft.origin) return this.finish(this.say.empty);
    this.text.textContent = draft.text;
    this.origin.value = draft.origin;
    this.use.hidden = false;
    const { model, is_gated: isGated, finish_reason: reason } = draft.provenance;
    this.model.replaceChildren(tag(model, ""), tag(isGated ? this.say.gated : this.say.ungated, isGated ? "match" : "caution"));
    this.model.hidden = false;
    this.finish(reason === "length" ? this.say.cut : this.say.done);
  }

  finish(message) {
    this.text.classList.remove("writing");
    this.text.hidden = !this.text.textContent;
    this.stop.hidden = true;
    this.state.textContent = message;
  }
}

function tag(text, kind) {
  const element = document.createElement("span");
  element.className = `tag ${kind}`;
  element.textContent = text;
  return element;
}

const card = document.getElementById("draft");
if (card) {
  const draft = new Draft(card);
  document.getElementById("ask").addEventListener("submit", (event) => draft.write(new FormData(event.target)));
}

const progress = document.getElementById("progress");
if (progress) {
  // The server renders and escapes this part; it comes as one JSON string.
  new EventSource(progress.dataset.events).onmessage = (event) => { progress.innerHTML = JSON.parse(event.data); };
}
