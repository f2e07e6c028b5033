/** Giving licences back after no time at all would take them from people who work. */
import type { Check } from './check.ts'

const TYPES = ['professional', 'analyzer'] as const

export const releaseThresholds: Check = ({ config, report }) => {
  const { licenseRelease } = config.qlikSenseLicense
  if (!licenseRelease.enable) return
  for (const type of TYPES) {
    const settings = licenseRelease.licenseType[type]
    const { enable, releaseThresholdDays } = settings
    if (!enable || releaseThresholdDays >= 1) continue
    Object.assign(settings, { enable: false })
    const feature = `qlikSenseLicense.licenseRelease.licenseType.${type}`
    const message = `is ${releaseThresholdDays}: licences that are in use would be released`
    report('error', `${feature}.releaseThresholdDays`, message, {
      feature,
      hint: 'write at least 1, usually 30; or set enable: false',
    })
  }
}
