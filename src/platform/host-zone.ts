/** The time zone of this computer. */

interface WithTemporal {
  readonly Temporal?: { readonly Now: { timeZoneId(): string } }
}

/** IANA name. A date format knows it as well, but loads the languages for it: 2.5 MB and 6 ms at start. */
export function hostZone(): string {
  const { Temporal } = globalThis as WithTemporal
  return Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}
