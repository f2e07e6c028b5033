/** The list of metrics in `docs/metrics.md`, made of their definitions. */
import { butler } from '../../src/app/schema.ts'
import type { MetricFamily } from '../../src/metrics/prometheus/families.ts'
import { createMetrics, type MetricsSources } from '../../src/metrics/prometheus/index.ts'

/** Sources without values: definitions need none. */
const NO_SOURCES = new Proxy({}, { get: () => () => null }) as MetricsSources

/** Every metric of `/metrics`, in its order. */
export const METRIC_FAMILIES: readonly MetricFamily[] = createMetrics(NO_SOURCES, butler.parse({}), {
  dataDirectory: '',
  qrsConnection: false,
}).families

const BEGIN = '<!-- made by `npm run docs` -->'
const END = '<!-- end of what was made -->'

/** `page` with the list as it should be between its two marks. */
export function withMetricList(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`the page has no place for the list: ${BEGIN} and ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${metricTable()}\n\n${page.slice(end)}`
}

function metricTable(): string {
  const rows = METRIC_FAMILIES.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help.replaceAll('|', '\\|')} |`,
  )
  return ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
