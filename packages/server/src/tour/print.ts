import type { Credentials } from '../first-start.ts'
export function printTour(_credentials: Credentials, _dataFolder: string, _say: (line: string) => void): void {}
