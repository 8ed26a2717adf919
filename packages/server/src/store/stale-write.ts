/** Another writer came between the look and the write. The transaction is taken back and its work done again. */
export class StaleWrite extends Error {
  constructor() {
    super('Another writer was faster.')
    this.name = 'StaleWrite'
  }
}
