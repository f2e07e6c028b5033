/** Metrics as Prometheus reads them. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Of the series of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** Where the series of a metric come from. */
export interface Series {
  /** Of every sample; the `le` of buckets is not among them. */
  readonly labels: readonly string[]
  /** Read at each scrape. */
  samples(): readonly Sample[]
}

export interface MetricFamily extends Series {
  /** Counters end in `_total`. */
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
}
