import java.util.List;
import java.util.UUID;
import shopply.ApiClient;
import shopply.ApiException;
import shopply.ApiResponse;
import shopply.api.CustomersApi;
import shopply.api.OrdersApi;
import shopply.api.OrdersApi.APIOrdersCancelCreateRequest;
import shopply.api.OrdersApi.APIOrdersCreateRequest;
import shopply.api.OrdersApi.APIOrdersListRequest;
import shopply.api.ProductsApi;
import shopply.api.ProductsApi.APIProductsListRequest;
import shopply.api.TokensApi;
import shopply.model.Customer;
import shopply.model.CustomerCreateRequest;
import shopply.model.Order;
import shopply.model.PlaceOrderItemRequest;
import shopply.model.PlaceOrderRequest;
import shopply.model.Problem;
import shopply.model.ProblemError;
import shopply.model.Product;
import shopply.model.Quote;
import shopply.model.StatusEnum;
import shopply.model.TokenRequest;
import shopply.model.TransitionRequest;

/** The whole money path in Java: openapi-generator made the package `shopply` of the document. */
public class Buy {
    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], username = "java", password = "a-till-in-a-harbour";

        ApiClient client = new ApiClient();
        client.updateBaseUri(url);
        Customer customer = new CustomersApi(client).customersCreate(new CustomerCreateRequest()
                .username(username)
                .password(password)
                .email("java@example.com")
                .street1("Elbchaussee 112")
                .city("Hamburg")
                .country("Germany"));
        check(customer.getUsername().equals(username));

        TokenRequest logIn = new TokenRequest().username(username).password(password);
        String token = new TokensApi(client).obtainTokenCreate(logIn).getToken();
        client.setRequestInterceptor(request -> request.header("Authorization", "Token " + token));

        List<Product> products = new ProductsApi(client)
                .productsList(APIProductsListRequest.newBuilder().inStock(true).itemsPerPage(100L).build())
                .getResults();
        Product product = products.get(0);
        PlaceOrderRequest body = new PlaceOrderRequest()
                .addItemsItem(new PlaceOrderItemRequest().product(product.getId()).quantity(2));

        OrdersApi orders = new OrdersApi(client);
        Quote quote = orders.ordersQuoteCreate(body);
        check(quote.getItems().get(0).getUnitPrice().equals(product.getPrice()));

        body.expectedTotal(quote.getTotalPrice());
        var request = APIOrdersCreateRequest.newBuilder()
                .placeOrderRequest(body)
                .idempotencyKey(UUID.randomUUID().toString())
                .build();
        Order order = orders.ordersCreate(request);
        check(order.getStatus() == StatusEnum.PLACED);
        ApiResponse<Order> replay = orders.ordersCreateWithHttpInfo(request);
        check(replay.getData().equals(order));
        check(replay.getHeaders().get("idempotent-replayed").equals(List.of("true")));

        Product scarce = products.stream().filter(other -> other.getQuantityInStock() < 10_000).findFirst().get();
        PlaceOrderItemRequest item = new PlaceOrderItemRequest().product(scarce.getId()).quantity(10_000);
        try {
            orders.ordersCreate(APIOrdersCreateRequest.newBuilder()
                    .placeOrderRequest(new PlaceOrderRequest().addItemsItem(item))
                    .idempotencyKey(UUID.randomUUID().toString())
                    .build());
            check(false);
        } catch (ApiException exception) {
            Problem problem = client.getObjectMapper().readValue(exception.getResponseBody(), Problem.class);
            check(problem.getStatus() == 409 && problem.getCode().equals("out_of_stock"));
            ProblemError error = problem.getErrors().get(0);
            check(error.getPointer().equals("/items/0/quantity"));
            check(error.getAvailable() < error.getRequested());
            PlaceOrderItemRequest suggestion = problem.getSuggestedItems().get(0);
            check(suggestion.getProduct().equals(scarce.getId()));
            check(suggestion.getQuantity().longValue() == error.getAvailable());
        }

        List<Order> own = orders.ordersList(APIOrdersListRequest.newBuilder().build()).getResults();
        check(own.equals(List.of(order)));

        Order cancelled = orders.ordersCancelCreate(APIOrdersCancelCreateRequest.newBuilder()
                .id(order.getId())
                .transitionRequest(new TransitionRequest().note("Ordered twice."))
                .build());
        check(cancelled.getStatus() == StatusEnum.CANCELLED);
    }

    private static void check(boolean condition) {
        if (!condition) throw new AssertionError();
    }
}
