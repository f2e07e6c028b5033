/** `npm run SCRIPT -- --help`. */
import process from 'node:process'

/** Prints the usage and ends the process when the arguments ask for it. Call it before anything else is done. */
export function helpOn(usage: string): void {
  if (!process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) return
  console.log(usage.trim())
  process.exit(0)
}
