// The form of a person who answers as the model. Whatever others wrote gets in as text, through `append` and
// `textContent`, and in no other way. Python says what waits; the form says that it is there, and gives one reply.

const LONGEST = 1e5, MOST_CALLS = 16;

function make(tag, kind, ...parts) {
	const node = document.createElement(tag);
	if (kind) node.className = kind;
	node.append(...parts.filter((part) => part !== null && part !== undefined));
	return node;
}

function named(node, label, role) {
	node.setAttribute("aria-label", label);
	if (role) node.setAttribute("role", role);
	return node;
}

function button(text, kind, act) {
	const node = make("button", `btn ${kind}`.trim(), text);
	node.type = "button";
	node.addEventListener("click", act);
	return node;
}

function field(tag, kind, label, value, changed) {
	const node = named(make(tag, kind), label);
	Object.assign(node, { value, maxLength: LONGEST, spellcheck: false });
	node.addEventListener("input", () => changed(node.value));
	return node;
}

function box({ text = "", lines, characters }, prose) {
	const cut = characters ? `cut here: ${lines ? `${lines} lines, ` : ""}${characters} characters more` : null;
	const inner = prose ? make("div", "prose-in", text) : make("pre", "", make("code", "", text));
	inner.dir = "auto";
	return make("div", "", inner, cut && make("span", "cut", cut));
}

function wrongWith(text) {
	if (!text.trim()) return "";
	try {
		const value = JSON.parse(text);
		return value && typeof value === "object" && !Array.isArray(value) ? "" : "not one JSON object";
	} catch (error) {
		return `not JSON (${String(error.message).slice(0, 120)})`;
	}
}

class Form {
	constructor(model, el) {
		Object.assign(this, { model, news: {}, text: "", calls: [], shown: undefined });
		this.state = make("span", "state");
		this.facts = make("div", "facts");
		this.inner = make("div", "");
		this.voice = make("div", "voice");
		this.voice.setAttribute("role", "status");
		this.title = make("bdi", "");
		const top = make("div", "top", make("div", "title", this.state, " ", make("span", "name", this.title)));
		const frame = make("div", "frame", make("header", "", top, this.facts), this.inner, this.voice);
		this.root = named(make("div", "hnb human", frame), "a person answers as the model", "region");
		// The lab has keys of its own, for a notebook and not for what is typed in it.
		this.root.addEventListener("keydown", (event) => {
			if (/^(INPUT|TEXTAREA|BUTTON|SUMMARY)$/.test(event.target.tagName) && event.key !== "Escape") event.stopPropagation();
		});
		el.append(this.root);
		this.take = (news) => news?.do === "asked" && this.draw(news);
		this.lost = () => this.draw(null);
		model.on("msg:custom", this.take);
		model.on("comm:close", this.lost);
		this.draw({});
		this.send({ ask: "ready" });
	}

	remove() {
		this.model.off("msg:custom", this.take);
		this.model.off("comm:close", this.lost);
	}

	send(message) {
		try {
			this.model.send(message);
		} catch {
			this.lost();
		}
	}

	draw(news) {
		const { question, more = 0, name = "", answered = 0 } = news ?? {};
		this.title.textContent = name;
		this.state.className = `state ${question ? "now" : ""}`;
		this.state.textContent = !news ? "⊘ kernel stopped" : question ? "? asks you" : "○ nothing waits";
		const facts = question ? [`request ${question.number}`, ...question.facts] : [];
		if (more) facts.push(`${more} more ${more === 1 ? "waits" : "wait"}`);
		if (answered) facts.push(`${answered} answered`);
		this.facts.replaceChildren(...facts.map((fact) => make("span", "", fact)));
		// What is being written stays while the same request waits.
		if (question && question.id === this.shown) return;
		this.shown = question?.id;
		Object.assign(this, { text: "", calls: [], tools: question?.tools ?? [] });
		if (question) {
			this.inner.replaceChildren(...this.asked(question), this.reply());
			this.voice.textContent = `${name} is asked. The run waits for your reply.`;
			return;
		}
		this.inner.replaceChildren(this.part("", make("div", "dim", news ? "Nothing waits for a reply. What a run asks appears here."
			: "The kernel stopped: nothing can be sent.")));
		this.voice.textContent = "";
	}

	part(label, ...values) {
		return make("div", "body", make("span", "label", label), make("div", "val", ...values));
	}

	asked(question) {
		const told = question.messages.map(({ role, parts }) => this.part(role, ...parts.map((one) =>
			make("div", "", one.label ? make("div", "label", one.label) : null, box(one.shown ?? {}, one.prose)))));
		const tools = this.tools.map((tool) => make("details", "", make("summary", "",
			make("code", "", make("b", "", tool.name)), " ", make("bdi", "dim", tool.told)), box(tool.schema.shown ?? {})));
		if (question.cut) told.unshift(this.part("", make("span", "cut", question.cut)));
		return [...told, this.part("tools", ...(tools.length ? tools : [make("div", "dim", "none")]))];
	}

	reply() {
		const group = this.part("your reply");
		named(group, "your reply", "group").classList.add("reply");
		const [, value] = group.children;
		const made = make("div", "calls"), problem = make("div", "problem bad");
		problem.setAttribute("role", "status");
		const text = field("textarea", "", "the text of your reply", "", (typed) => { this.text = typed; check(); });
		text.placeholder = "Text, if you say something.";
		const check = () => {
			const long = this.calls.reduce((sum, one) => sum + one.name.length + one.arguments.length, this.text.length);
			problem.textContent = long > LONGEST ? `Too long: ${long} characters, of ${LONGEST} at most.` : "";
			sent.disabled = long > LONGEST;
			sent.textContent = this.text || this.calls.length ? "Send reply" : "Send an empty reply";
			add.disabled = this.calls.length >= MOST_CALLS;
		};
		const redraw = (focus) => {
			made.replaceChildren(...this.calls.map((one, at) => this.call(one, at, check, redraw)));
			check();
			if (focus) made.lastElementChild?.querySelector("select, input")?.focus();
		};
		const add = button("Call a tool", "", () => {
			const tool = this.tools[0];
			this.calls.push({ name: tool?.name ?? "", arguments: tool?.first ?? "{}", invented: !tool });
			redraw(true);
		});
		const sent = button("Send reply", "main", () => {
			const calls = this.calls.map(({ name, arguments: given }) => ({ name, arguments: given }));
			this.send({ ask: "reply", question: this.shown, text: this.text, calls });
			for (const one of value.querySelectorAll("button, textarea, input, select")) one.disabled = true;
		});
		value.append(text, made, problem, make("div", "buttons", sent, add));
		check();
		return group;
	}

	// One call: a tool that there is, or a name of the person's own, and arguments as text, whatever it is.
	call(one, at, check, redraw) {
		const number = at + 1, hint = make("div", "label hint");
		const tell = () => {
			const known = this.tools.some((tool) => tool.name === one.name);
			const told = [known ? "" : "no tool has this name", wrongWith(one.arguments)].filter(Boolean).join("; ");
			hint.textContent = told ? `${told}. It is sent as it is, as a model's would be.` : "";
			check();
		};
		const pick = named(make("select", ""), `tool of call ${number}`);
		const options = [...this.tools.map((tool) => tool.name), "a name of your own"];
		pick.append(...options.map((name) => make("option", "", name)));
		pick.selectedIndex = one.invented ? this.tools.length : this.tools.findIndex((tool) => tool.name === one.name);
		pick.addEventListener("change", () => {
			const tool = this.tools[pick.selectedIndex];
			Object.assign(one, tool ? { name: tool.name, arguments: tool.first, invented: false } : { name: "", invented: true });
			redraw(false);
		});
		const own = field("input", "mono", `name of call ${number}`, one.name, (typed) => { one.name = typed; tell(); });
		own.hidden = !one.invented;
		const given = field("textarea", "mono", `arguments of call ${number}`, one.arguments, (typed) => { one.arguments = typed; tell(); });
		const remove = button("Remove", "text", () => {
			this.calls.splice(at, 1);
			redraw(false);
		});
		const head = make("div", "buttons", make("span", "label", `call ${number}`), pick, own, remove);
		tell();
		return make("div", "made", head, given, hint);
	}
}

export default {
	render({ model, el }) {
		const form = new Form(model, el);
		return () => form.remove();
	},
};
