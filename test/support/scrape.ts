/** The text of a scrape (Prometheus 0.0.4), taken apart. */

export interface ScrapedSample {
  /** With `_bucket`, `_sum` or `_count`. */
  readonly name: string
  /** Name of the metric it belongs to. */
  readonly family: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Scrape {
  readonly all: readonly ScrapedSample[]
  /** By name of the metric; also of those without any series. */
  readonly types: Readonly<Record<string, string>>
  samples(name: string): readonly ScrapedSample[]
  sum(name: string): number
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g

export function scrapeOf(text: string): Scrape {
  const types: Record<string, string> = {}
  const all: ScrapedSample[] = []
  for (const line of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? []
    if (typed && type) types[typed] = type
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    if (!name || line.startsWith('#')) continue
    const base = name.replace(/_(bucket|sum|count)$/, '')
    all.push({
      name,
      family: types[base] === 'histogram' ? base : name,
      value: Number(value),
      labels: Object.fromEntries(
        [...labels.matchAll(LABEL)].map(([, label, text]) => [label!, text!.replace(/\\(.)/g, '$1')]),
      ),
    })
  }
  const samples = (name: string) => all.filter((sample) => sample.name === name)
  return { all, types, samples, sum: (name) => samples(name).reduce((sum, { value }) => sum + value, 0) }
}
