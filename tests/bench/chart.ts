// A line chart with logarithmic axes as SVG text, for light and dark pages.

/** A line of the chart; sizes and values are greater than 0. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [size: number, value: number])[];
}

/** What is written around the lines. */
interface Labels {
  readonly title: string;
  readonly x: string;
  readonly y: string;
}

const WIDTH = 700, HEIGHT = 420, LEFT = 62, RIGHT = 40, TOP = 44, BOTTOM = 84;

const STYLE = `
  svg { color: #1f2328; font: 13px system-ui, sans-serif; }
  text { fill: currentColor; }
  .grid { stroke: currentColor; opacity: 0.15; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .c0 { color: #0969da; } .c1 { color: #bc4c00; } .c2 { color: #1a7f37; } .c3 { color: #8250df; }
  .line, .dot { stroke: currentColor; }
  .dot { fill: currentColor; }
  @media (prefers-color-scheme: dark) {
    svg { color: #e6edf3; }
    .c0 { color: #58a6ff; } .c1 { color: #f0883e; } .c2 { color: #3fb950; } .c3 { color: #bc8cff; }
  }`;

/** How each line is drawn, so that it can be told without its colour. */
const DASHES = ["", "8 4", "2 4", "12 4 2 4"];

/** The chart. */
export function chart(lines: readonly Line[], { title, x, y }: Labels): string {
  const points = lines.flatMap((line) => line.points);
  const across = axis(points.map(([size]) => size), LEFT, WIDTH - RIGHT);
  const up = axis(points.map(([, value]) => value), HEIGHT - BOTTOM, TOP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${
      escape(title)
    }">`,
    `<style>${STYLE}\n</style>`,
    text(LEFT, 18, title, 'font-weight="bold"'),
    text(LEFT, TOP - 9, y),
    text(WIDTH - RIGHT, HEIGHT - BOTTOM + 36, x, 'text-anchor="end"'),
    ...across.ticks.flatMap((size) => [
      rule(across.at(size), TOP, across.at(size), HEIGHT - BOTTOM),
      text(across.at(size), HEIGHT - BOTTOM + 18, grouped(size), 'text-anchor="middle"'),
    ]),
    ...up.ticks.flatMap((value) => [
      rule(LEFT, up.at(value), WIDTH - RIGHT, up.at(value)),
      text(LEFT - 8, up.at(value) + 4, grouped(value), 'text-anchor="end"'),
    ]),
    ...lines.flatMap((line, i) => [...drawn(line, i, across.at, up.at), ...legend(line, i)]),
    "</svg>\n",
  ].join("\n");
}

interface Axis {
  /** Powers of ten around all values. */
  readonly ticks: readonly number[];
  /** Where a value lies. */
  readonly at: (value: number) => number;
}

function axis(values: readonly number[], from: number, to: number): Axis {
  const first = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  return {
    ticks: Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
    at: (value) => from + (Math.log10(value) - first) / (last - first) * (to - from),
  };
}

function* drawn({ points }: Line, i: number, x: Axis["at"], y: Axis["at"]): Generator<string, void, undefined> {
  const places = points.map(([size, value]) => `${x(size).toFixed(1)},${y(value).toFixed(1)}`);
  const dash = DASHES[i % DASHES.length];
  yield `<polyline class="line c${i % 4}"${dash ? ` stroke-dasharray="${dash}"` : ""} points="${places.join(" ")}"/>`;
  for (const [size, value] of points) {
    const at = `cx="${x(size).toFixed(1)}" cy="${y(value).toFixed(1)}"`,
      title = `${grouped(size)}: ${value.toPrecision(3)}`;
    yield `<circle class="dot c${i % 4}" ${at} r="3.5"><title>${title}</title></circle>`;
  }
}

/** Two columns of names under the chart. */
function legend({ name }: Line, i: number): string[] {
  const left = LEFT + (i % 2) * 330, top = HEIGHT - 26 + Math.floor(i / 2) * 18, dash = DASHES[i % DASHES.length];
  return [
    `<path class="line c${i % 4}"${dash ? ` stroke-dasharray="${dash}"` : ""} d="M${left} ${top - 4}h32"/>`,
    text(left + 40, top, name),
  ];
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<path class="grid" d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}"/>`;
}

function text(x: number, y: number, content: string, attributes?: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes ? ` ${attributes}` : ""}>${escape(content)}</text>`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
