// The pages' own module: streams the model's draft, searches the clause types, follows a run. All else is plain HTML and htmx.

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

// The list of clause types: typing leaves the matching ones and chooses the first, arrow keys move the choice.
class TypeList {
  constructor(form) {
    this.filter = form.querySelector("#filter");
    this.found = form.querySelector("#filter-found");
    this.none = form.dataset.none;
    this.rows = [...form.querySelectorAll("#types label")].map((label) => ({
      label, choice: label.querySelector("input"), words: label.dataset.words.toLowerCase(),
    }));
    this.confirm = form.querySelector("button[value=type]");
    this.filter.addEventListener("input", () => this.search());
    this.filter.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("change", () => this.settle());
    this.settle();
  }

  search() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of this.rows) row.label.hidden = !words.every((word) => row.words.includes(word));
    const shown = this.shown();
    if (words.length && !shown.some((row) => row.choice.checked)) {
      for (const row of this.rows) row.choice.checked = row === shown[0];
    }
    this.found.hidden = shown.length > 0;
    this.found.textContent = shown.length ? "" : this.none;
    this.settle();
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const shown = this.shown();
    const at = shown.findIndex((row) => row.choice.checked);
    const next = shown.at(at < 0 ? (step > 0 ? 0 : -1) : (at + step) % shown.length);
    if (next) next.choice.checked = true;
    next?.label.scrollIntoView({ block: "nearest" });
    this.settle();
  }

  shown() {
    return this.rows.filter((row) => !row.label.hidden);
  }

  settle() {
    this.confirm.disabled = !this.rows.some((row) => row.choice.checked);
  }
}

const labelling = document.getElementById("labelling");
if (labelling) new TypeList(labelling);

const progress = document.getElementById("progress");
if (progress) {
  // The server renders and escapes this part; it comes as one JSON string.
  new EventSource(progress.dataset.events).onmessage = (event) => { progress.innerHTML = JSON.parse(event.data); };
}
