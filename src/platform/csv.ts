/** Fields of CSV files, as spreadsheets read them. */

/** Beginnings that spreadsheets take for a formula, also in full width, and those that they skip before one. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/

/** The text with an apostrophe before it where a spreadsheet would take it for a formula. */
export const withoutFormula = (text: string): string => (FORMULA.test(text) ? `'${text}` : text)
