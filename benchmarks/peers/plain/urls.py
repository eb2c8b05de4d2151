from django.urls import include, path
from rest_framework.routers import DefaultRouter

from benchmarks.peers.plain.views import CustomerViewSet, OrderViewSet, ProductViewSet

router = DefaultRouter()
router.register("products", ProductViewSet, "product")
router.register("customers", CustomerViewSet, "customer")
router.register("orders", OrderViewSet, "order")

urlpatterns = [path("api/", include(router.urls))]
