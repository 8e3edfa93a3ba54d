/* The example browser: any number of examples, of which one page is drawn. Without it the first page stands there. */
{
  /* Names come from data: they are put into the page as text, never as HTML. */
  const browser = root => {
    const part = root.closest("[data-part]");
    const form = root.querySelector("form");
    const list = root.querySelector("[data-list]");
    const status = root.querySelector("[data-count]");
    const blank = root.querySelector("template").content.firstElementChild;
    const data = JSON.parse(root.querySelector("[data-examples]").textContent);
    const turns = root.querySelectorAll("[data-turn]");
    const drawn = [...list.children];
    let chunks = [];
    let found = [];
    let page = 0;

    const pictureOf = number => {
      const chunk = Math.floor((number - data.page) / data.chunk);
      const known = chunks.find(item => item.chunk === chunk);
      const pictures = known ? known.pictures : JSON.parse(root.querySelector(`[data-pictures="${chunk}"]`).textContent);
      if (!known) chunks = [{ chunk, pictures }, ...chunks].slice(0, data.page);
      return "data:image/webp;base64," + pictures[(number - data.page) % data.chunk];
    };

    const draw = number => {
      if (number < drawn.length) return drawn[number];
      const [key, label, condition, answers, right, confidence] = data.examples[number];
      const figure = blank.cloneNode(true);
      const name = data.classes[label];
      const where = data.conditions[condition][0];
      Object.assign(figure.querySelector("img"), { src: pictureOf(number), alt: `${name} under ${where}` });
      figure.querySelector("[data-class]").textContent = name;
      figure.querySelector("[data-condition]").textContent = where;
      figure.querySelector("[data-key]").textContent = key;
      const lines = figure.querySelector("ul");
      const line = lines.firstElementChild;
      lines.replaceChildren(...answers.map((answer, row) => {
        const made = line.cloneNode(true);
        made.dataset.row = row;
        made.classList.add(right[row] ? "right" : "wrong");
        made.querySelector("[data-right]").textContent = right[row] ? "right: " : "wrong: ";
        made.querySelector("[data-answer]").textContent = `${data.rows[row]}: ${data.classes[answer]}`;
        made.querySelector("[data-sure]").textContent = confidence[row] === null ? "" : `${confidence[row]} %`;
        return made;
      }));
      return figure;
    };

    const shown = row => !part.shownRows || part.shownRows.has(String(row));
    const show = () => {
      const pages = Math.max(1, Math.ceil(found.length / data.page));
      page = Math.min(Math.max(page, 0), pages - 1);
      const start = page * data.page;
      const numbers = found.slice(start, start + data.page);
      list.replaceChildren(...numbers.map(draw));
      for (const line of list.querySelectorAll("[data-row]")) line.classList.toggle("off", !shown(line.dataset.row));
      const total = found.length.toLocaleString("en");
      status.textContent = found.length
        ? `${(start + 1).toLocaleString("en")} to ${(start + numbers.length).toLocaleString("en")} of ${total}`
        : "No example fits.";
      for (const button of turns) button.setAttribute("aria-disabled", button.dataset.turn === "-1" ? page === 0 : page === pages - 1);
    };

    /* What the answers of an example must be like: of all shown rows, or of one. */
    const tests = {
      "": () => true,
      right: right => right.every(Boolean),
      wrong: right => !right.some(Boolean),
      disagree: (_, answers) => new Set(answers).size > 1,
    };
    const fits = chosen => {
      const [kind, row] = chosen.answers.split(" ");
      const rows = row === undefined ? data.rows.map((_, number) => number).filter(shown) : [Number(row)];
      const [about, name] = [chosen.condition.slice(0, 1), chosen.condition.slice(2)];
      return ([, label, condition, answers, right]) =>
        (chosen.class === "" || label === Number(chosen.class))
        && (about === "" || data.conditions[condition][about === "g" ? 1 : 0] === name)
        && tests[kind](rows.map(number => right[number]), rows.map(number => answers[number]));
    };
    const search = () => {
      const test = fits(Object.fromEntries(new FormData(form)));
      found = data.examples.flatMap((example, number) => test(example) ? [number] : []);
      page = 0;
      show();
    };

    const option = (text, value) => Object.assign(document.createElement("option"), { textContent: text, value });
    const optgroup = (label, options) => {
      const made = Object.assign(document.createElement("optgroup"), { label });
      made.append(...options);
      return made;
    };
    const fill = () => {
      const { class: classes, condition, answers } = form.elements;
      const asked = new Set(data.examples.map(example => example[1]));
      const named = data.classes.map((name, number) => [name, number]).filter(([, number]) => asked.has(number));
      named.sort((a, b) => a[0].localeCompare(b[0], undefined, { numeric: true }));
      classes.append(...named.map(([name, number]) => option(name, number)));
      const inOrder = [...data.conditions].sort((a, b) => a[0].localeCompare(b[0], undefined, { numeric: true }));
      for (const group of [...new Set(inOrder.map(item => item[1]))].sort()) {
        const members = inOrder.filter(item => item[1] === group);
        condition.append(optgroup(group, [
          option(`any of ${group}`, `g ${group}`), ...members.map(([name]) => option(name, `c ${name}`)),
        ]));
      }
      for (const [number, row] of data.rows.entries()) {
        answers.append(optgroup(row, [option(`${row} is right`, `right ${number}`), option(`${row} is wrong`, `wrong ${number}`)]));
      }
    };

    fill();
    form.addEventListener("change", search);
    form.querySelector("[data-reset]").addEventListener("click", () => { form.reset(); search(); });
    form.addEventListener("submit", event => event.preventDefault());
    for (const button of turns) {
      button.addEventListener("click", () => { page += Number(button.dataset.turn); show(); });
    }
    part.addEventListener("rows-shown", search);
    search();
    for (const control of root.querySelectorAll("[data-needs-script]")) control.hidden = false;
  };

  document.querySelectorAll("[data-browser]").forEach(browser);
}
