// The window on many runs: a table that is sorted by a click on its headings. Whatever a model or a tool wrote gets in as
// text. Python sends rows, and the text of a run when its row is opened.

const BEFORE = ["task, attempt", "ended", "turns", "calls", "errors", "tokens", "time"], AFTER = ["first error"];
const WORDS = new Set(["task, attempt", "ended", "first error"]);
const LEFT_MS = 2000;

function make(tag, kind, ...parts) {
	const node = document.createElement(tag);
	if (kind) node.className = kind;
	node.append(...parts);
	return node;
}

function said(node, states) {
	for (const [name, value] of Object.entries(states)) node.setAttribute(`aria-${name}`, String(value));
	return node;
}

// What is unknown comes last, either way.
function compared(a, b, way) {
	if (a === null || b === null) return (a === null) - (b === null);
	const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
	return order * way;
}

class Table {
	// `kept` is what a table before this one was like: the lab draws a cell anew when the last run ends.
	constructor(model, host, kept) {
		Object.assign(this, { model, kept, rows: new Map(), lines: new Map(), bodies: new Map(), scores: null });
		this.root = make("div", "hnb");
		this.root.setAttribute("role", "region");
		this.root.dataset.lmSuppressShortcuts = "true";
		this.title = make("span", "title dim");
		this.facts = make("div", "facts");
		this.head = make("tr");
		this.body = make("tbody");
		const table = make("table", "runs", make("thead", "", this.head), this.body);
		this.root.append(make("div", "frame", make("header", "", make("div", "top", this.title), this.facts), table));
		host.append(this.root);
		this.heard = (news) => this.hear(news);
		model.on("msg:custom", this.heard);
		model.send({ ask: "rows" });
	}

	remove() {
		this.model.off("msg:custom", this.heard);
		this.root.remove();
	}

	hear(news) {
		if (!news || typeof news !== "object") return;
		if (news.do === "body") {
			this.bodies.get(news.id)?.replaceChildren(make("pre", "", make("code", "", news.parts[0].text)));
			return;
		}
		if (news.do !== "all" && news.do !== "more") return;
		const { head } = news;
		this.title.replaceChildren(make("b", "", head.title), ...head.names.map((name) => make("bdi", "name", ` ${name}`)));
		this.facts.replaceChildren(...head.facts.map((fact) => make("bdi", fact.startsWith("✗") ? "bad" : "", fact)));
		said(this.root, { label: [head.title, ...head.names].join(", ") });
		if (String(head.scores) !== String(this.scores)) this.heads(head.scores);
		// Rows keep their places while runs go on: a new order takes a click.
		for (const row of news.rows) this.draw(row);
		if (news.do === "all") this.restore();
	}

	restore() {
		this.arrange();
		for (const id of this.kept.opened)
			if (this.lines.has(id) && !this.bodies.has(id)) this.flip(id, this.lines.get(id).querySelector("button"));
	}

	heads(scores) {
		this.scores = scores;
		this.columns = [...BEFORE, ...scores, ...AFTER];
		this.head.replaceChildren(...this.columns.map((name, column) => {
			const sorts = make("button", "btn text", name);
			sorts.type = "button";
			sorts.addEventListener("click", () => this.sort(column));
			const head = make("th", WORDS.has(name) ? "" : "num", sorts);
			head.scope = "col";
			return head;
		}));
	}

	// Numbers begin with the most, words with the first.
	sort(column) {
		const first = WORDS.has(this.columns[column]) ? 1 : -1;
		const way = this.kept.by === column ? -this.kept.way : first;
		const order = [...this.rows.values()].sort((a, b) => compared(a.by[column], b.by[column], way));
		Object.assign(this.kept, { by: column, way, order: order.map((row) => row.i) });
		this.arrange();
	}

	arrange() {
		const { by: column, way, order } = this.kept, sign = way > 0 ? "↑" : "↓";
		for (const id of order) {
			if (this.lines.has(id)) this.body.append(this.lines.get(id));
			if (this.bodies.has(id)) this.body.append(this.bodies.get(id).parentElement);
		}
		for (const [index, head] of [...this.head.children].entries()) {
			const name = this.columns[index];
			head.firstChild.textContent = index === column ? `${name} ${sign}` : name;
			if (index === column) said(head, { sort: way > 0 ? "ascending" : "descending" });
			else head.removeAttribute("aria-sort");
		}
	}

	draw(row) {
		this.rows.set(row.i, row);
		const line = this.lines.get(row.i) ?? this.line(row.i);
		const cells = row.c.map((text, column) => {
			const name = this.columns[column];
			if (!column) return line.firstChild ?? make("th", "", this.opener(row.i));
			const shown = name === "ended" ? `${row.s[0]} ${text}` : text;
			const wrong = text.startsWith("✗") || (name === "ended" && row.s[0] === "✗");
			return make("td", `${WORDS.has(name) ? "" : "num "}${wrong ? "bad" : ""}`.trim(), make("bdi", "", shown));
		});
		cells[0].scope = "row";
		cells[0].firstChild.lastChild.textContent = row.c[0];
		// The first stays, with the focus that may be in it.
		while (line.children.length > 1) line.lastChild.remove();
		line.append(...(line.firstChild ? cells.slice(1) : cells));
		if (this.bodies.has(row.i)) this.model.send({ ask: "open", id: row.i });
	}

	line(id) {
		const line = make("tr");
		this.lines.set(id, line);
		this.body.append(line);
		return line;
	}

	opener(id) {
		const sign = said(make("span", "chev", "▸ "), { hidden: true });
		const opens = said(make("button", "btn text", sign, make("bdi")), { expanded: false });
		opens.type = "button";
		opens.addEventListener("click", () => this.flip(id, opens));
		return opens;
	}

	flip(id, opens) {
		const open = !this.bodies.has(id);
		said(opens, { expanded: open });
		opens.firstChild.textContent = open ? "▾ " : "▸ ";
		if (!open) {
			this.bodies.get(id).parentElement.remove();
			this.bodies.delete(id);
			this.kept.opened.delete(id);
			return;
		}
		const cell = make("td", "", "…");
		cell.colSpan = this.columns.length;
		this.lines.get(id).after(make("tr", "opened", cell));
		this.bodies.set(id, cell);
		this.kept.opened.add(id);
		this.model.send({ ask: "open", id });
	}
}

export default () => {
	const kept = { by: null, way: 1, order: [], opened: new Set() };
	let shown = 0;
	return {
		render({ model, el }) {
			const table = new Table(model, el, kept);
			shown += 1;
			return () => {
				table.remove();
				shown -= 1;
				// Shown again at once, it is not gone.
				setTimeout(() => shown || model.send({ ask: "close" }), LEFT_MS);
			};
		},
	};
};
