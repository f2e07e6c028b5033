/** The licence of the site. */
import { licenseDetails } from '../../../monitors/license/expiry.ts'
import { createLicenseClient } from '../../../qlik/qrs/licenses.ts'
import type { DoctorContext, Finding } from '../types.ts'
import { plural } from './probe.ts'
import type { Site } from './site.ts'

const GROUP = 'licence'
const WARN_DAYS = 30
const FIX = 'enter the renewed licence in the QMC (License management)'

export async function licenceFindings(site: Site, { clock, timeout }: DoctorContext): Promise<readonly Finding[]> {
  const client = createLicenseClient(await site.transport())
  const licence = licenseDetails(await client.server(AbortSignal.timeout(timeout)), clock.now())
  const { expired, expiryDate, daysRemaining } = licence
  const common = { target: site.target }
  const date = expiryDate?.slice(0, 10)
  if (expired) {
    const message = date ? `the Qlik Sense licence has ended on ${date}` : 'the Qlik Sense licence has ended'
    return [{ ...common, level: 'error', code: `${GROUP}.expired`, message, fix: FIX }]
  }
  if (daysRemaining === null) {
    return [{ ...common, level: 'ok', code: `${GROUP}.valid`, message: 'valid, without an end that it tells' }]
  }
  const message = `valid until ${date}, ${plural(daysRemaining, 'day')}`
  if (daysRemaining <= WARN_DAYS)
    return [{ ...common, level: 'warning', code: `${GROUP}.ends-soon`, message, fix: FIX }]
  return [{ ...common, level: 'ok', code: `${GROUP}.valid`, message }]
}
