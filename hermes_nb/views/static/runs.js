// The window on many runs: a table that is sorted by its headings, filtered as somebody types, and read in pages. Whatever
// a model or a tool wrote gets in as text. Python sends rows, and the text of a run when its row is opened; the rest
// happens here.

const KINDS = {
	"task, attempt": "task", ended: "ended", turns: "num turns", calls: "num", errors: "num", tokens: "num least",
	time: "num least", "first error": "first",
};
const SCORE = "num score";
const BEFORE = ["task, attempt", "ended", "turns", "calls", "errors", "tokens", "time"], AFTER = ["first error"];
const WORDS = new Set(["task, attempt", "ended", "first error"]);
const ERRORS = BEFORE.indexOf("errors"), TURNS = BEFORE.indexOf("turns");
const PAGE = 50, LEFT_MS = 2000, QUIET_MS = 2000, SILENT_MS = 4000;
// The first four stand in the footer.
const KEYS = [
	["j k", "row"], ["Enter", "open run"], ["e", "next error"], ["/", "filter"], ["?", "keys"], ["↓ ↑", "row"], ["→", "open"],
	["←", "close"], ["Home End", "first, last row"], ["E", "previous error"], ["Esc", "clear, then leave"],
];

function make(tag, kind, ...parts) {
	const node = document.createElement(tag);
	if (kind) node.className = kind;
	node.append(...parts);
	return node;
}

// Roles and aria attributes, and no others.
function said(node, { role, ...states }) {
	if (role) node.setAttribute("role", role);
	for (const [name, value] of Object.entries(states)) node.setAttribute(`aria-${name}`, String(value));
	return node;
}

function button(text, kind, act) {
	const node = make("button", `btn ${kind}`, text);
	node.type = "button";
	node.addEventListener("click", act);
	return node;
}

function hint([keys, does]) {
	return make("span", "", ...keys.split(" ").flatMap((key) => [make("kbd", "", key), " "]), does);
}

const glyph = (sign) => said(make("span", "g", sign), { hidden: true });
const active = () => document.activeElement;
const focusOn = (node) => node?.focus({ preventScroll: true });
const failed = (row) => row.s[0] === "✗" || row.by[ERRORS] > 0;

// Badges and secrets' markers stand out of the text they are in; so do the words that are looked for.
const ODD = /(⟦[^⟧\n]{1,400}⟧|\[redacted:[a-z]{1,20}#\d{1,9}\])/;
function ink(node, text, wanted = "") {
	for (const piece of text.split(ODD)) marked(ODD.test(piece) ? node.appendChild(make("span", "badge")) : node, piece, wanted);
	return node;
}

function marked(node, text, wanted) {
	const lower = wanted ? text.toLowerCase() : "";
	let at = 0;
	for (let hit = wanted ? lower.indexOf(wanted) : -1; hit >= 0; hit = lower.indexOf(wanted, at)) {
		node.append(text.slice(at, hit), make("mark", "", text.slice(hit, hit + wanted.length)));
		at = hit + wanted.length;
	}
	node.append(text.slice(at));
}

// What is unknown comes last, either way.
function compared(a, b, way) {
	if (a === null || b === null) return (a === null) - (b === null);
	const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
	return order * way;
}

// `63 finished`, `✗ 26 errors in 14 runs`, `score mean 0.54`: the number is what is read.
function factOf(fact) {
	const [, wrong = "", before = "", number, rest] = /^(✗ )?(.* mean )?(-?\d\S*)(.*)$/s.exec(fact) ?? [];
	const parts = number ? [before, make("b", "", number), rest] : [fact];
	return make("span", wrong ? "bad" : "", ...(wrong ? [glyph("✗")] : []), make("bdi", "", ...parts));
}

class Table {
	// `kept` is what somebody has made of the table before this one: the lab draws a cell anew when the last run ends.
	constructor(model, host, kept) {
		Object.assign(this, { model, host, kept, rows: new Map(), lines: new Map(), bodies: new Map(), passing: [] });
		Object.assign(this, { scores: null, columns: [], alive: true });
		this.build();
		this.heard = (news) => this.hear(news);
		this.lost = () => this.end();
		model.on("msg:custom", this.heard);
		for (const end of ["comm:close", "comm_live_update"]) model.on(end, this.lost);
		kept.tables.add(this);
		setTimeout(() => this.settle());
		this.ask({ ask: "rows" });
	}

	build() {
		this.root = said(make("div", "hnb"), { role: "region", label: "runs" });
		// Before the host: Notebook 7 hears keys before what is in its page does.
		this.keyed = (event) => {
			const path = event.composedPath();
			if (path.includes(this.root)) this.key(event, path[0]);
		};
		addEventListener("keydown", this.keyed, true);
		this.root.addEventListener("focusin", ({ target }) => {
			this.kept.inside = target === this.filter ? "filter" : this.body.contains(target) ? "row" : "";
		});
		this.root.addEventListener("focusout", () => setTimeout(() => {
			if (this.root.isConnected && !this.root.contains(active())) this.kept.inside = "";
		}));
		for (const name of ["title", "count", "found"]) this[name] = make("span", name);
		for (const name of ["facts", "menu", "voice"]) this[name] = make("div", name);
		this.state = make("span", "state");
		this.title.classList.add("dim");
		this.found.classList.add("label");
		said(this.voice, { role: "status" });
		this.filter = said(make("input", "filter"), { label: "Filter rows" });
		Object.assign(this.filter, { type: "text", placeholder: "Filter", value: this.kept.filter, maxLength: 200 });
		this.filter.addEventListener("input", () => this.look(this.filter.value));
		this.clearing = button("Clear", "text", () => this.clear());
		this.moring = said(button("⋯", "text", () => this.tell(!this.kept.more)), { label: "More" });
		this.menu.append(make("div", "keys", ...KEYS.map(hint)));
		this.page = button("", "pages-on", () => this.turn());
		this.tabled();
		const top = make("div", "top", this.state, this.title, this.filter, this.found, this.clearing, this.moring);
		const same = make("span", "", "the same rows: ", make("span", "mono", "hn.frames.runs(results)"));
		this.footer = make("footer", "rows", this.count, ...KEYS.slice(0, 4).map(hint), same, this.page);
		const header = make("header", "", top, this.facts);
		this.root.append(make("div", "frame", header, this.menu, this.table, this.footer), this.voice);
		this.tell(this.kept.more);
		this.host.append(this.root);
	}

	// A table in a grid: what it is has to be said, or a browser forgets it.
	tabled() {
		this.head = said(make("tr"), { role: "row" });
		this.body = said(make("tbody"), { role: "rowgroup" });
		this.body.addEventListener("click", ({ target }) => {
			const id = getSelection().isCollapsed && target.closest("tr[data-row]")?.dataset.row;
			if (id) this.flip(id);
		});
		this.body.addEventListener("focusin", ({ target }) => {
			const id = target.closest("tr[data-row]")?.dataset.row;
			if (id) this.select(id);
		});
		this.table = said(make("table", "runs", said(make("thead", "", this.head), { role: "rowgroup" }), this.body), { role: "table" });
	}

	remove() {
		this.model.off("msg:custom", this.heard);
		for (const end of ["comm:close", "comm_live_update"]) this.model.off(end, this.lost);
		removeEventListener("keydown", this.keyed, true);
		clearTimeout(this.speaking);
		this.kept.tables.delete(this);
		this.root.remove();
	}

	// Drawn anew, the lab puts the table before out of its place without telling its layout, which misses it at the end.
	settle() {
		this.place = this.host.parentElement;
		const child = this.host.closest(".jp-OutputArea-child"), area = child?.parentElement;
		if (area) Object.assign(this, { area, nth: [...area.children].indexOf(child) });
		for (const other of this.kept.tables) {
			if (other === this) break;
			if (other.host.parentElement || !this.place || (other.place ?? this.place) !== this.place) continue;
			other.remove();
			other.host.hidden = true;
			this.place.append(other.host);
		}
	}

	// No notebook keeps a live table: at the end the lab puts the saved form there. The table goes on over it.
	goOn(tries = 9) {
		const form = this.area?.children[this.nth]?.querySelector(".jp-RenderedHTML");
		const bare = (node) => node?.textContent.replace(/\s/g, "");
		if (form?.hidden) return;
		if (bare(form)?.startsWith(bare(this.state))) {
			const host = make("div", "jp-OutputArea-output");
			form.hidden = true;
			form.after(host);
			const table = new Table(this.model, host, this.kept), watch = setInterval(() => {
				if (form.isConnected || !this.area.isConnected) return;
				clearInterval(watch);
				table.leave();
			}, LEFT_MS);
		} else if (tries) setTimeout(() => this.goOn(tries - 1), 20);
	}

	leave() {
		this.remove();
		// Shown again at once, it is not gone.
		setTimeout(() => this.kept.tables.size || this.ask({ ask: "close" }), LEFT_MS);
	}

	ask(request) {
		try {
			this.model.send(request);
		} catch {
			this.end();
		}
	}

	// The kernel is gone.
	end() {
		if (!this.alive) return;
		this.alive = false;
		this.facts.append(make("span", "", "The kernel stopped: rows stay, what is behind them is gone."));
		for (const [id, cell] of this.bodies) this.waits(id, cell);
	}

	hear(news) {
		if (!news || typeof news !== "object") return;
		this.alive = true;
		if (news.do === "body") {
			this.bodies.get(news.id)?.replaceChildren(make("pre", "", ink(make("code"), news.parts[0].text)));
			return;
		}
		if (news.do !== "all" && news.do !== "more") return;
		this.heading(news.head);
		for (const row of news.rows) this.take(row);
		if (news.do === "all") this.restore();
		else this.renew(news.rows);
	}

	heading({ title, names, facts, scores }) {
		this.state.textContent = title;
		this.title.replaceChildren(...names.map((name) => ink(make("bdi", "name"), name)));
		this.facts.replaceChildren(...facts.map(factOf));
		said(this.root, { label: [title, ...names].join(", ") });
		if (String(scores) !== String(this.scores)) this.heads(scores);
	}

	heads(scores) {
		this.scores = scores;
		this.columns = [...BEFORE, ...scores, ...AFTER];
		this.table.style.setProperty("--scored", scores.map(() => "56px").join(" "));
		this.head.replaceChildren(...this.columns.map((name, column) => {
			const sorts = button(name, "text", () => this.sort(column));
			const head = said(make("th", KINDS[name] ?? SCORE, sorts), { role: "columnheader" });
			head.scope = "col";
			return head;
		}));
		this.arrows();
	}

	take(row) {
		const { kept } = this;
		if (!kept.order.includes(row.i)) kept.order.push(row.i);
		this.rows.set(row.i, row);
	}

	// Rows keep their places while runs go on: a new order takes a click, and what begins to match comes last.
	renew(changed) {
		const fresh = changed.filter((row) => !this.passing.includes(row.i) && this.fits(row));
		this.passing.push(...fresh.map((row) => row.i));
		this.longest();
		for (const row of changed) {
			if (this.lines.has(row.i)) this.line(row.i);
			if (this.bodies.has(row.i)) this.ask({ ask: "open", id: row.i });
		}
		if (fresh.length) this.stand();
		const going = [...this.rows.values()].some((row) => row.s[0] === "●");
		if (this.going && !going) this.say("all runs are over");
		this.going = going;
	}

	// As somebody had it, before the lab drew the table anew.
	restore() {
		const { kept } = this;
		this.longest();
		this.pass();
		this.arrows();
		for (const id of kept.opened) if (this.lines.has(id) && !this.bodies.has(id)) this.flip(id);
		this.going = [...this.rows.values()].some((row) => row.s[0] === "●");
		if (!kept.inside || active() !== document.body) return;
		focusOn(kept.inside === "filter" ? this.filter : this.lines.get(kept.current)?.opens);
	}

	longest() {
		this.table.style.setProperty("--longest", Math.max(1, ...[...this.rows.values()].map((row) => row.by[TURNS])));
	}

	wanted() {
		return this.kept.filter.trim().toLowerCase();
	}

	fits(row) {
		const wanted = this.wanted();
		return !wanted || row.c.some((text, column) => WORDS.has(this.columns[column]) && text.toLowerCase().includes(wanted));
	}

	// Which rows are shown, as they are now.
	pass() {
		this.passing = this.kept.order.filter((id) => this.rows.has(id) && this.fits(this.rows.get(id)));
		this.stand();
	}

	// Put the rows of the pages that are shown where they belong, and nothing else.
	stand() {
		const held = this.body.contains(active()) ? active() : null;
		let at = this.body.firstChild;
		for (const id of this.passing.slice(0, this.kept.most)) {
			for (const node of [this.line(id).node, this.bodies.get(id)?.parentElement]) {
				if (!node) continue;
				if (node === at) at = at.nextSibling;
				else this.body.insertBefore(node, at);
			}
		}
		while (at?.nextSibling) at.nextSibling.remove();
		at?.remove();
		if (held && active() !== held) focusOn(held);
		this.rove();
		this.foot();
	}

	foot() {
		const { passing, rows, kept } = this, wanted = this.wanted(), shown = Math.min(kept.most, passing.length);
		this.count.textContent = `${shown} of ${passing.length} rows`;
		this.found.textContent = wanted ? `${passing.length} of ${rows.size}` : "";
		this.found.hidden = this.clearing.hidden = !wanted;
		const left = passing.length - shown;
		this.page.hidden = !left;
		this.page.textContent = `Show ${Math.min(left, PAGE)} more`;
	}

	turn() {
		const first = this.passing[this.kept.most];
		this.kept.most += PAGE;
		this.stand();
		if (this.page.hidden) this.reach(this.passing.indexOf(first));
	}

	look(text) {
		Object.assign(this.kept, { filter: text, most: PAGE });
		this.pass();
		if (this.wanted()) this.say(`${this.passing.length} of ${this.rows.size} rows`);
	}

	clear() {
		this.filter.value = "";
		this.look("");
		this.filter.focus();
	}

	tell(more) {
		this.kept.more = more;
		this.menu.hidden = !more;
		said(this.moring, { expanded: more });
	}

	// One message in two seconds; of several, the last.
	say(words) {
		this.words = words;
		this.speaking ??= setTimeout(() => {
			this.speaking = null;
			this.voice.textContent = this.words;
		}, QUIET_MS);
	}

	// Numbers begin with the most, words with the first.
	sort(column) {
		const first = WORDS.has(this.columns[column]) ? 1 : -1;
		const way = this.kept.by === column ? -this.kept.way : first;
		const order = [...this.rows.values()].sort((a, b) => compared(a.by[column], b.by[column], way));
		Object.assign(this.kept, { by: column, way, order: order.map((row) => row.i) });
		this.pass();
		this.arrows();
	}

	arrows() {
		const { by: column, way } = this.kept;
		for (const [index, head] of [...this.head.children].entries()) {
			const sorted = index === column, sign = said(make("span", "", way > 0 ? " ↑" : " ↓"), { hidden: true });
			head.firstChild.replaceChildren(make("bdi", "", this.columns[index]), ...(sorted ? [sign] : []));
			if (sorted) said(head, { sort: way > 0 ? "ascending" : "descending" });
			else head.removeAttribute("aria-sort");
		}
	}

	// The line of a run, up to date.
	line(id) {
		const row = this.rows.get(id), wanted = this.wanted(), { columns } = this;
		const line = this.lines.get(id) ?? this.begin(id);
		if (line.row === row && line.wanted === wanted && line.columns === columns) return line;
		Object.assign(line, { row, wanted, columns });
		const [task, attempt] = halves(row.c[0]);
		line.task.replaceChildren(ink(make("b"), task, wanted), ink(make("span", "dim"), attempt, wanted));
		const wrong = row.by[ERRORS] ? `, ✗ ${row.by[ERRORS]}` : "";
		said(line.opens, { label: `${row.c[0]}, ${row.c[1]}${wrong}` });
		for (let column = 1; column < columns.length; column += 1) {
			const cell = this.cell(row, column, wanted), old = line.node.children[column];
			// What says the same stays, with what may be selected in it.
			if (!old) line.node.append(cell);
			else if (!old.isEqualNode(cell)) old.replaceWith(cell);
		}
		while (line.node.children.length > columns.length) line.node.lastChild.remove();
		return line;
	}

	begin(id) {
		const task = make("bdi"), sign = said(make("span", "chev", "▸ "), { hidden: true });
		const opens = said(make("button", "btn text", sign, task), { expanded: false });
		opens.type = "button";
		opens.tabIndex = -1;
		const head = said(make("th", "task", opens), { role: "rowheader" });
		head.scope = "row";
		const node = said(make("tr", "", head), { role: "row" });
		node.dataset.row = id;
		const line = { node, opens, sign, task };
		this.lines.set(id, line);
		return line;
	}

	cell(row, column, wanted) {
		const name = this.columns[column], text = row.c[column], ended = name === "ended";
		const [sign, told] = ended ? [row.s[0], text] : text.startsWith("✗ ") && name === "errors" ? ["✗", text.slice(2)] : ["", text];
		const tone = sign === "✗" ? "bad" : ended && "●?".includes(sign) ? "now" : "";
		const cell = said(make("td", `${KINDS[name] ?? SCORE} ${tone}`.trim()), { role: "cell" });
		cell.dataset.name = name;
		if (sign) cell.append(glyph(sign));
		cell.append(ink(make("bdi"), told, WORDS.has(name) ? wanted : ""));
		if (name === "turns") {
			const bar = said(make("i"), { hidden: true });
			bar.style.setProperty("--turns", row.by[TURNS]);
			cell.append(bar);
		}
		return cell;
	}

	flip(id, open = !this.bodies.has(id)) {
		const { opens, sign, node } = this.lines.get(id), { opened } = this.kept;
		if (open === this.bodies.has(id)) return;
		said(opens, { expanded: open });
		sign.textContent = open ? "▾ " : "▸ ";
		if (!open) {
			this.bodies.get(id).parentElement.remove();
			this.bodies.delete(id);
			opened.delete(id);
			return;
		}
		const cell = said(make("td", "", "…"), { role: "cell" });
		cell.colSpan = this.columns.length;
		node.after(said(make("tr", "opened", cell), { role: "row" }));
		this.bodies.set(id, cell);
		opened.add(id);
		if (this.alive) this.ask({ ask: "open", id });
		if (!this.alive) this.waits(id, cell);
		else setTimeout(() => this.waits(id, cell), SILENT_MS);
	}

	// What is asked for and does not come.
	waits(id, cell) {
		if (this.bodies.get(id) !== cell || cell.firstElementChild) return;
		cell.textContent = this.alive ? "The kernel does not answer: it is busy, or it stopped." : "kernel stopped: see the static form";
	}

	// Keys, and the one row that Tab reaches.
	select(id) {
		this.kept.current = id;
		this.rove();
	}

	rove() {
		const shown = this.passing.slice(0, this.kept.most);
		const current = shown.includes(this.kept.current) ? this.kept.current : shown[0];
		for (const [id, line] of this.lines) line.opens.tabIndex = id === current ? 0 : -1;
	}

	step(by) {
		const at = this.passing.indexOf(this.kept.current), moves = at >= 0 && this.body.contains(active());
		this.reach(Math.min(Math.max(at + (moves ? by : 0), 0), this.passing.length - 1));
	}

	reach(at) {
		const id = this.passing[at];
		if (id === undefined) return;
		if (at >= this.kept.most) {
			this.kept.most = Math.ceil((at + 1) / PAGE) * PAGE;
			this.stand();
		}
		const { opens, node } = this.lines.get(id);
		node.scrollIntoView({ block: "nearest" });
		focusOn(opens);
	}

	error(by) {
		const { passing, rows, body, kept } = this, inside = body.contains(active());
		for (let at = inside ? passing.indexOf(kept.current) + by : by > 0 ? 0 : passing.length - 1; passing[at]; at += by)
			if (failed(rows.get(passing[at]))) return this.reach(at);
		return this.say("no more errors");
	}

	key(event, target) {
		if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
		const { key } = event, { current } = this.kept;
		if (target === this.filter && key !== "Escape") {
			event.stopPropagation();
			return;
		}
		const down = () => this.step(1), up = () => this.step(-1);
		const acts = {
			j: down, ArrowDown: down, k: up, ArrowUp: up, Home: () => this.reach(0), End: () => this.reach(this.passing.length - 1),
			e: () => this.error(1), E: () => this.error(-1), "/": () => this.filter.focus(), "?": () => this.tell(!this.kept.more),
			Escape: () => (this.kept.filter ? this.clear() : target.blur()),
		};
		const onRow = {
			ArrowRight: () => this.flip(current, true), ArrowLeft: () => this.flip(current, false), Enter: () => this.flip(current),
			" ": () => this.flip(current),
		};
		if (target === this.lines.get(current)?.opens) Object.assign(acts, onRow);
		if (!Object.hasOwn(acts, key)) return;
		acts[key]();
		event.preventDefault();
		event.stopPropagation();
	}
}

// The task, and which attempt at it, where it has one.
function halves(title) {
	const at = title.lastIndexOf(" · ");
	return at < 0 ? [title, ""] : [title.slice(0, at), title.slice(at)];
}

export default () => {
	const kept = {
		by: null, way: 1, order: [], opened: new Set(), filter: "", most: PAGE, current: null, inside: "", more: false,
		tables: new Set(),
	};
	return {
		render({ model, el }) {
			const table = new Table(model, el, kept);
			return () => {
				table.leave();
				table.goOn();
			};
		},
	};
};
