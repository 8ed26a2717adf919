/** What has really become of an action on a pretended device, whatever anybody says of it. */
export type Truth = 'never begun' | 'begun' | 'done'
