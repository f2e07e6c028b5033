/** Lists as people type them. */

/** Between commas; names of tags may have blanks in them. */
export const listOf = (text: string): string[] =>
  text
    .split(/[,;]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
