/** The part of prom-client that writes the text. */
declare module 'prom-client/lib/registry.js' {
  interface Values {
    readonly name: string
    readonly help: string
    readonly type: string
    readonly values: readonly {
      readonly metricName?: string
      readonly labels: Readonly<Record<string, string>>
      readonly value: number
    }[]
  }
  export default class Registry {
    static readonly PROMETHEUS_CONTENT_TYPE: string
    static readonly OPENMETRICS_CONTENT_TYPE: string
    readonly contentType: string
    constructor(contentType: string)
    registerMetric(metric: { name: string; help: string; type: string; get(): Promise<Values> }): void
    metrics(): Promise<string>
  }
}
