/** Metrics as Prometheus reads them. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Of the series of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

export interface MetricFamily {
  /** Counters end in `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Read at each scrape. */
  samples(): readonly Sample[]
}
