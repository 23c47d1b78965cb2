const { Chart } = window.homeguardElements(React, require)
export default <Chart {...props} act={callAction} ask={sendUserMessage} />
