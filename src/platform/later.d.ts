/** The library ships no types; the used part is described where it is used. */
declare module '@breejs/later' {
  const later: unknown
  export default later
}
